"""Published checkpoints into networks: files in their real formats, and what does not fit."""

import collections
import pickle
import sys
import types
import zipfile

import golden_recipe
import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.errors import InputError
from tfdepthviz.models import porting
from tfdepthviz.models.mask_net import mask_net


@pytest.fixture(scope="module")
def small_net():
    """The mask network with an eighth of its channels."""
    channels = (2, 4, 8, 16, 32, 64, 64, 64)
    return mask_net((16, 24, 3), channels=channels, decoder_channels=(32, 16, 8), name="small")


@pytest.fixture
def small_arrays(golden):
    """The reference's names, an eighth of its channels."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, array in golden_recipe.weights(golden("mask_drn_d_22")).items():
        if array.ndim:  # not the batch counters
            shape = [n // 8 if n >= 16 else n for n in array.shape]
            arrays[name] = rng.normal(size=shape).astype("float32")
    return arrays


def test_kernels_are_turned_and_the_rest_is_taken_over(small_net, small_arrays):
    assert porting.port_weights(small_net, small_arrays) is small_net
    kernel, _ = small_net.get_layer("D_conv").get_weights()
    np.testing.assert_array_equal(kernel[2, 1, 1, 0], small_arrays["D.conv.weight"][0, 1, 2, 1])
    gamma, beta, mean, variance = small_net.get_layer("E_base_3_0_downsample_bn").get_weights()
    np.testing.assert_array_equal(gamma, small_arrays["E.base.3.0.downsample.1.weight"])
    np.testing.assert_array_equal(beta, small_arrays["E.base.3.0.downsample.1.bias"])
    np.testing.assert_array_equal(mean, small_arrays["E.base.3.0.downsample.1.running_mean"])
    np.testing.assert_array_equal(variance, small_arrays["E.base.3.0.downsample.1.running_var"])


def test_a_wrapped_model_and_batch_counters_change_nothing(small_net, small_arrays):
    porting.port_weights(small_net, small_arrays)
    expected = small_net.get_weights()
    wrapped = {f"module.{name}": array for name, array in small_arrays.items()}
    wrapped["module.E.base.0.1.num_batches_tracked"] = np.int64(7)
    porting.port_weights(small_net, wrapped)
    for got, value in zip(small_net.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(got, value)


def test_all_that_does_not_fit_is_listed_and_nothing_is_changed(small_net, small_arrays):
    before = small_net.get_weights()
    del small_arrays["D.conv.bias"], small_arrays["D.up2.bn1_2.running_var"]
    small_arrays["fc.weight"] = np.zeros((5, 8), "float32")
    small_arrays["D.conv.weight"] = np.zeros((1, 8, 5, 5), "float32")
    with pytest.raises(ValueError) as caught:
        porting.port_weights(small_net, small_arrays)
    assert str(caught.value) == (
        "weights do not fit small; missing: D.up2.bn1_2.running_var, D.conv.bias; "
        "unused: fc.weight; misshapen: D.conv.weight (expected (1, 8, 3, 3), received (1, 8, 5, 5))"
    )
    for got, value in zip(small_net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, value)


def test_tensorflow_checkpoints_of_both_versions(tmp_path):
    expected = {
        "conv1/weights": np.arange(12, dtype="float32").reshape(1, 2, 2, 3),
        "bn_conv1/scale": np.ones(3, "float32"),
    }
    for version in (tf.compat.v1.train.SaverDef.V1, tf.compat.v1.train.SaverDef.V2):
        prefix = str(tmp_path / f"model{version}.ckpt")
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            for name, value in expected.items():
                tf.compat.v1.get_variable(name, initializer=value)
            session.run(tf.compat.v1.global_variables_initializer())
            tf.compat.v1.train.Saver(write_version=version).save(session, prefix)
        arrays = porting.read_tf_checkpoint(prefix)
        assert arrays.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(arrays[name], value)


def test_a_missing_tensorflow_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match="nothing.ckpt"):
        porting.read_tf_checkpoint(tmp_path / "nothing.ckpt")


# --- PyTorch's zip format, written the way torch.save writes it, by Python's own pickler ---


class FakeTensor:
    def __init__(self, storage, key, array, offset=0, size=None, stride=None):
        self.storage, self.key, self.data = storage, key, array
        self.offset, self.size = offset, array.shape if size is None else size
        self.stride = stride or [s // array.itemsize for s in array.strides]


@pytest.fixture
def save_like_torch(tmp_path, monkeypatch):
    """Function (object, name) -> path of an archive as torch.save makes it."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*_):
        raise AssertionError

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = rebuild
    for name in ("FloatStorage", "HalfStorage", "LongStorage", "BFloat16Storage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    torch._utils = utils

    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if isinstance(item, tuple) and len(item) == 5 and item[0] == "storage":
                return item
            return None

        def reducer_override(self, item):
            if not isinstance(item, FakeTensor):
                return NotImplemented
            storage = ("storage", getattr(torch, item.storage), item.key, "cpu", item.data.size)
            rest = (False, collections.OrderedDict())
            return rebuild, (storage, item.offset, tuple(item.size), tuple(item.stride), *rest)

    def tensors(item):
        if isinstance(item, FakeTensor):
            yield item
        elif isinstance(item, dict):
            for value in item.values():
                yield from tensors(value)

    def save(content, name="model.pth"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive, monkeypatch.context() as patch:
            patch.setitem(sys.modules, "torch", torch)
            patch.setitem(sys.modules, "torch._utils", utils)
            with archive.open("model/data.pkl", "w") as stream:
                Pickler(stream, protocol=2).dump(content)
            archive.writestr("model/byteorder", "little")
            for tensor in tensors(content):
                archive.writestr(f"model/data/{tensor.key}", tensor.data.tobytes())
            archive.writestr("model/version", "3\n")
        return path

    return save


def test_tensors_of_a_torch_file(save_like_torch):
    values = np.arange(24, dtype="float32")
    matrix = FakeTensor("FloatStorage", "0", values.reshape(2, 3, 4))
    turned = FakeTensor("FloatStorage", "1", values, offset=2, size=(4, 5), stride=(1, 4))
    counter = FakeTensor("LongStorage", "2", np.array(7))
    half = FakeTensor("HalfStorage", "3", values.astype("float16"))
    # bfloat16 is the upper half of float32; small integers lose nothing.
    brain = FakeTensor("BFloat16Storage", "4", (values.view("uint32") >> 16).astype("uint16"))
    state = collections.OrderedDict(a=matrix, b=turned, n=counter, h=half, bf=brain)
    state._metadata = {"version": 1}
    path = save_like_torch({"epoch": 3, "state_dict": state})
    arrays = porting.read_torch_checkpoint(path)
    assert list(arrays) == ["a", "b", "n", "h", "bf"]
    np.testing.assert_array_equal(arrays["a"], values.reshape(2, 3, 4))
    np.testing.assert_array_equal(arrays["b"], values[2:22].reshape(5, 4).T)
    assert arrays["n"].shape == () and arrays["n"] == 7
    assert arrays["h"].dtype == "float16" and arrays["bf"].dtype == "float32"
    np.testing.assert_array_equal(arrays["h"], values)
    np.testing.assert_array_equal(arrays["bf"], values)


def test_a_torch_file_goes_into_a_network(save_like_torch, small_net, small_arrays):
    state = {
        f"module.{name}": FakeTensor("FloatStorage", str(i), array)
        for i, (name, array) in enumerate(small_arrays.items())
    }
    porting.port_weights(small_net, porting.read_torch_checkpoint(save_like_torch(state)))
    bias = small_net.get_layer("D_conv").get_weights()[1]
    np.testing.assert_array_equal(bias, small_arrays["D.conv.bias"])


FOUR = np.zeros(4, "float32")


class RunsCode:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    "content, complaint",
    [
        ({"a": RunsCode()}, "print, which is no tensor"),
        ({"a": 1.5}, "Not tensors: .'a'."),
        ({}, "empty dict"),
        ([1, 2], "Received: list"),
        ({"a": FakeTensor("FloatStorage", "0", FOUR, offset=3, size=(2,))}, "beyond its storage"),
        ({"a": FakeTensor("FloatStorage", "0", FOUR, size=(9,), stride=(0,))}, "larger than its"),
    ],
)
def test_a_torch_file_that_holds_anything_else_is_refused(
    content, complaint, save_like_torch, capsys
):
    with pytest.raises(InputError, match=complaint):
        porting.read_torch_checkpoint(save_like_torch(content))
    assert "executed" not in capsys.readouterr().out


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file: .*model.pth"):
        porting.read_torch_checkpoint(tmp_path / "model.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="old.pth: not in the zip format"):
        porting.read_torch_checkpoint(tmp_path / "old.pth")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(InputError, match="pictures.zip: expected one data.pkl"):
        porting.read_torch_checkpoint(tmp_path / "pictures.zip")
