"""The command that turns a published checkpoint into a Keras weights file."""

import hashlib
import pathlib
import shlex
import subprocess
import sys

import commands
import golden_recipe
import keras
import numpy as np
import pytest
import torch_writers

from tfdepthviz import models
from tfdepthviz.models.mask_net import mask_net
from tfdepthviz.utils.errors import InputError
from trainers import port_weights

ROOT = pathlib.Path(__file__).resolve().parents[2]


def small_net(input_shape):
    channels = (2, 4, 8, 16, 32, 64, 64, 64)
    return mask_net(input_shape, channels=channels, decoder_channels=(32, 16, 8), name="small")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Makes `small` a name of the mask network with an eighth of its channels."""
    monkeypatch.setitem(models.MASK_NETS, "small", small_net)


@pytest.fixture
def published(golden):
    return golden_recipe.narrowed(golden("mask_drn_d_22"))


def test_weights_alone(published, tmp_path, capsys):
    state = torch_writers.saved(published, prefix="module.")
    state["module.E.base.0.1.num_batches_tracked"] = torch_writers.Saved(np.array(7))
    source = torch_writers.save_python2(tmp_path / "mask_resnet", state)
    target = tmp_path / "new" / "mask.weights.h5"
    path = commands.run(port_weights, mask_net="small", checkpoint=str(source), output=str(target))
    assert path == target and list(target.parent.iterdir()) == [target]
    net = models.build_mask_net("small", (16, 24, 3), weights=target)
    kernel, _ = net.get_layer("D_conv").get_weights()
    np.testing.assert_array_equal(kernel[2, 1, :, 0], published["D.conv.weight"][0, :, 2, 1])
    numbers = sum(array.size for array in published.values())
    printed, _, after = capsys.readouterr().out.partition("next:\n")
    assert printed == (
        f"read {source}, sha256 {hashlib.sha256(source.read_bytes()).hexdigest()}\n"
        f"{len(published)} arrays hold {numbers} of the {numbers} numbers of small\n"
        "left aside: 1 batch counters, 0 others\n"
        f"wrote {target}\n"
    )
    purpose, *line = after.splitlines()
    flags = ["--mask_net=small", f"--mask_weights={target}", "--workdir=runs/mask"]
    assert purpose == "  # train this G"
    assert shlex.split(" ".join(line).replace("\\", ""))[-4:] == ["trainers.train_mask", *flags]


def test_whole_network(published, tmp_path):
    source = torch_writers.save_zip(tmp_path / "mask.pth", torch_writers.saved(published))
    target = tmp_path / "mask.keras"
    commands.run(port_weights, mask_net="small", checkpoint=str(source), output=str(target))
    bias = keras.models.load_model(target).get_layer("D_conv").get_weights()[1]
    np.testing.assert_array_equal(bias, published["D.conv.bias"])


def test_encoder_only(published, tmp_path, capsys):
    file = {n.replace("E.base.", "layer"): a for n, a in published.items() if n[0] == "E"}
    file["fc.bias"] = np.zeros(1000, "float32")
    source = torch_writers.save_zip(tmp_path / "drn.pth", torch_writers.saved(file))
    target = tmp_path / "drn.weights.h5"
    options = {"mask_net": "small", "checkpoint": str(source), "output": str(target)}
    commands.run(port_weights, **options, encoder_only=True)
    assert "left aside: 0 batch counters, 1 others\n  fc.bias\n" in capsys.readouterr().out
    net = models.build_mask_net("small", (16, 24, 3), weights=target)
    gamma = net.get_layer("E_base_8_0_bn").get_weights()[0]
    np.testing.assert_array_equal(gamma, published["E.base.8.1.weight"])
    with pytest.raises(InputError, match=f"{len(published)} missing .* {len(file)} unused"):
        commands.run(port_weights, **{**options, "output": str(tmp_path / "b.weights.h5")})
    assert not (tmp_path / "b.weights.h5").exists()


def test_names_that_do_not_fit(published, tmp_path, capsys):
    del published["D.conv.bias"]
    more = {f"layer{i}.weight": np.zeros(3, "float32") for i in range(700)}
    source = torch_writers.save_zip(tmp_path / "r.pth", torch_writers.saved({**published, **more}))
    target = tmp_path / "mask.weights.h5"
    with pytest.raises(InputError) as caught:
        commands.run(port_weights, mask_net="small", checkpoint=str(source), output=str(target))
    assert str(caught.value) == (
        f"--checkpoint={source}: made for another network than small: 1 missing (D.conv.bias); "
        "700 unused (layer0.weight, layer1.weight, layer10.weight, ...)"
    )
    listed = capsys.readouterr().out.splitlines()
    assert listed[:3] == ["missing:", "  D.conv.bias", "unused:"] and len(listed) == 703
    assert [p.name for p in tmp_path.iterdir()] == ["r.pth"]


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({}, "--depth_net, --mask_net: give the one network"),
        ({"depth_net": "compact", "mask_net": "compact"}, "give the one network"),
        ({"mask_net": "small"}, "--checkpoint: needs the file"),
        ({"mask_net": "small", "checkpoint": "x"}, "--output: .* Received: None"),
        ({"mask_net": "small", "checkpoint": "x", "output": "a.h5"}, "Received: a.h5"),
        (
            {"mask_net": "small", "checkpoint": "x", "output": "a.weights.h5"},
            "checkpoint: no such file: x",
        ),
        (
            {"mask_net": "small", "checkpoint": __file__, "output": "a.weights.h5"},
            "expected a file of torch.save or a TensorFlow checkpoint. Received: .*, text",
        ),
    ],
)
def test_mistakes(options, complaint):
    with pytest.raises(InputError, match=complaint):
        commands.run(port_weights, **options)


def test_command(tmp_path):
    flags = ["--mask_net=compact", f"--checkpoint={tmp_path}/no.pth", "--output=a.weights.h5"]
    ran = subprocess.run(
        [sys.executable, "-m", "trainers.port_weights", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert ran.stderr == f"error: checkpoint: no such file: {tmp_path}/no.pth\n"
