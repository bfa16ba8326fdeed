"""Files of training scripts: prefixes, means of weights, safetensors, and objects left aside."""

import argparse
import json
import pathlib
import struct

import numpy as np
import pytest
import torch_writers

from tfdepthviz.models import porting
from tfdepthviz.models.porting.safetensors import read_safetensors
from tfdepthviz.models.porting.weight_files import load_weights
from tfdepthviz.utils.errors import InputError


def prefixed(arrays, prefix, factor=1.0):
    return {f"{prefix}{name}": np.float32(factor) * array for name, array in arrays.items()}


def loaded(net, arrays):
    """Kernel of the last layer after zeros were put into all of them."""
    net.set_weights([np.zeros_like(weight) for weight in net.get_weights()])
    porting.port_weights(net, arrays)
    return net.get_layer("D_conv").get_weights()[0]


@pytest.mark.parametrize(
    "prefix", ["model.", "net._orig_mod.", "module.", "student.depth_net.module.", "_orig_mod."]
)
def test_prefixes(prefix, small_net, small_arrays, caplog):
    others = {"criterion.weight": np.ones(3), "n_averaged": np.int64(4), "loss.scale": np.ones(())}
    expected = loaded(small_net, small_arrays)
    assert expected.any()
    np.testing.assert_array_equal(
        loaded(small_net, prefixed(small_arrays, prefix) | {"n_averaged": np.int64(4)}), expected
    )
    if prefix not in ("module.", "_orig_mod."):  # those are always taken off
        caplog.clear()
        np.testing.assert_array_equal(
            loaded(small_net, prefixed(small_arrays, prefix) | others), expected
        )
        assert "left aside 2 others" in caplog.text


@pytest.mark.parametrize("copy", ["ema_model.module.", "model_ema.", "teacher.", "averaged."])
def test_the_network_rather_than_its_mean(copy, small_net, small_arrays):
    expected = loaded(small_net, small_arrays)
    both = prefixed(small_arrays, copy, 2) | prefixed(small_arrays, "model.backbone_and_head.")
    np.testing.assert_array_equal(loaded(small_net, both), expected)
    np.testing.assert_array_equal(loaded(small_net, prefixed(small_arrays, copy, 2)), 2 * expected)


def test_a_part_of_the_network_does_not_fit(small_net, small_arrays):
    arrays = prefixed(small_arrays, "model.")
    del arrays["model.D.conv.bias"]
    with pytest.raises(porting.DoesNotFit, match="missing"):
        porting.port_weights(small_net, arrays)


@pytest.mark.parametrize("save", torch_writers.FORMATS.values(), ids=torch_writers.FORMATS)
def test_objects_next_to_the_weights(save, small_arrays, tmp_path):
    content = {
        "hyper_parameters": argparse.Namespace(lr=1e-3, out=pathlib.PurePosixPath("/runs")),
        "best": np.float64(0.5),
        "folder": pathlib.Path("runs"),
        "epoch": 3,
        "callbacks": {"checkpoint": {"dirpath": pathlib.Path("x"), "best": [np.float32(1)]}},
        "state_dict": torch_writers.saved(small_arrays),
    }
    arrays = porting.read_torch_checkpoint(save(tmp_path / "last.ckpt", content))
    for name, array in small_arrays.items():
        np.testing.assert_array_equal(arrays[name], array)
    assert arrays.keys() == small_arrays.keys()


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema"])
def test_a_mean_alone(key, small_arrays, tmp_path):
    content = {"epoch": 1, key: torch_writers.saved(small_arrays)}
    path = torch_writers.save_zip(tmp_path / "a.pth", content)
    assert porting.read_torch_checkpoint(path).keys() == small_arrays.keys()


def write_safetensors(path, arrays, kinds=("F32",)):
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for number, (name, array) in enumerate(arrays.items()):
        kind = kinds[number % len(kinds)]
        data = array.astype("<f4").view("<u4") >> 16 if kind == "BF16" else array
        data = data.astype({"BF16": "<u2", "F16": "<f2", "F32": "<f4"}[kind]).tobytes()
        place = [len(body), len(body) + len(data)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def test_safetensors(small_net, small_arrays, tmp_path):
    path = write_safetensors(tmp_path / "model.safetensors", prefixed(small_arrays, "model."))
    expected = loaded(small_net, small_arrays)
    small_net.set_weights([np.zeros_like(weight) for weight in small_net.get_weights()])
    load_weights(small_net, path)
    np.testing.assert_array_equal(small_net.get_layer("D_conv").get_weights()[0], expected)


def test_types_of_safetensors(tmp_path):
    values = np.array([1.5, -2.0, 0.25], "float32")  # exact in 16 bits of either kind
    arrays = {name: values for name in "abc"}
    path = write_safetensors(tmp_path / "t.safetensors", arrays, ("F32", "F16", "BF16"))
    for array in read_safetensors(path).values():
        np.testing.assert_array_equal(array, values)


def test_damaged_safetensors(small_arrays, tmp_path):
    path = write_safetensors(tmp_path / "t.safetensors", small_arrays)
    whole = path.read_bytes()
    lying = whole.replace(b'"data_offsets": [0, ', b'"data_offsets": [9, ')
    for contents in (whole[:-9], whole[:40], b"\xff" * 8 + whole[8:], lying, bytes(16)):
        path.write_bytes(contents)
        with pytest.raises(InputError, match="t.safetensors: not a readable file"):
            read_safetensors(path)
