"""The true PyTorch: its files are read here, and it reads the files that the other tests write.

    export TFDEPTHVIZ_TORCH=/where/it/is/bin/python
    python -m pytest tests/models/porting/test_true_torch.py

runs them with the PyTorch of another environment; without the variable, with that of this one.
"""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import torch_writers

from tfdepthviz.models import build_depth_net, porting
from tfdepthviz.models.porting import weight_files
from tfdepthviz.utils.errors import InputError

PYTHON = os.environ.get("TFDEPTHVIZ_TORCH", sys.executable)
SCRIPT = pathlib.Path(__file__).parents[2] / "helpers/true_torch.py"
READABLE = ("state", "wrapped", "parameters", "shared", "kinds", "odd")


def installed(module):
    return not subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True).returncode


def true_torch(*arguments):
    ran = subprocess.run([PYTHON, SCRIPT, *map(str, arguments)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if not installed("torch"):
        pytest.skip(
            "NO PYTORCH: nothing here was checked against files that PyTorch itself wrote, only "
            "against files written in the same formats; set TFDEPTHVIZ_TORCH to a Python with it"
        )
    path = tmp_path_factory.mktemp("true_torch")
    true_torch("write", path)
    return path


@pytest.mark.parametrize("kind", ["zip", "legacy"])
@pytest.mark.parametrize("name", READABLE)
def test_arrays_of_files_by_pytorch(name, kind, folder):
    arrays = porting.read_torch_checkpoint(folder / f"{name}.{kind}.pth")
    with np.load(folder / f"{name}.npz") as expected:
        assert list(arrays) == list(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(arrays[key], value, strict=True)


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_modules_and_calls_are_refused(kind, folder, capfd):
    with pytest.raises(InputError, match=r"asks for torch.nn.modules.container.Sequential"):
        porting.read_torch_checkpoint(folder / f"refused_whole.{kind}.pth")
    with pytest.raises(InputError, match=r"asks for (__builtin__|builtins).print"):
        porting.read_torch_checkpoint(folder / f"refused_call.{kind}.pth")
    assert "executed" not in capfd.readouterr().out


def test_pytorch_reads_the_files_of_the_tests(folder, tmp_path):
    values = np.arange(24, dtype="float32")
    arrays = {"a.weight": values.reshape(2, 3, 4), "n": np.array(7), "h": values.astype("float16")}
    state = torch_writers.saved(arrays)
    paths = [save(tmp_path / name, state) for name, save in torch_writers.FORMATS.items()]
    true_torch("read", tmp_path / "read.npz", *paths)
    with np.load(tmp_path / "read.npz") as read:
        assert len(read) == len(paths) * len(arrays)
        for key, value in read.items():
            np.testing.assert_array_equal(value, arrays[key.split("/", 1)[1]])


@pytest.mark.parametrize("name", ["resnet50", "densenet161"])
def test_feature_map_of_torchvision(name, folder):
    if not installed("torchvision"):
        pytest.skip("NO TORCHVISION: its encoders were not compared with ours by their output")
    if not (folder / "resnet50.npz").exists():
        true_torch("encoders", folder)
    net = build_depth_net(f"hu_{name}", (64, 96, 3))
    left = weight_files.load_encoder(net, folder / f"{name}.pth")
    assert left == [
        f"{'fc' if name == 'resnet50' else 'classifier'}.{n}" for n in ("bias", "weight")
    ]
    with np.load(folder / f"{name}.npz") as expected:
        image, features = (np.moveaxis(expected[key], 1, -1) for key in ("image", "features"))
    last = net.get_layer("D_conv").input
    output = keras.Model(net.input, last).predict_on_batch(image)
    np.testing.assert_allclose(output, features, rtol=0, atol=1e-4 * features.std())
