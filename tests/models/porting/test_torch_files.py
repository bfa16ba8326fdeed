"""Files of torch.save, read without PyTorch: every format, whole, damaged or of another kind."""

import collections
import pickle
import zipfile

import numpy as np
import pytest
import torch_writers
from torch_writers import FORMATS, Call, Name, Saved

from tfdepthviz.models.porting import read_torch_checkpoint
from tfdepthviz.models.porting.file_kinds import file_kind
from tfdepthviz.utils.errors import InputError

VALUES = np.arange(24, dtype="float32")


def same_arrays(arrays, expected):
    assert list(arrays) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


@pytest.mark.parametrize("save", FORMATS.values(), ids=FORMATS)
def test_tensors_of_every_format(save, tmp_path):
    arrays = {
        "matrix": VALUES.reshape(2, 3, 4),
        "counter": np.array(7),
        "half": VALUES.astype("float16"),
        "double": VALUES.astype("float64"),
    }
    state = torch_writers.saved(arrays)
    # Two views of a storage that no other tensor shares.
    for name, size, stride in (("turned", (4, 5), (1, 4)), ("strided", (6,), (3,))):
        state[name] = Saved(VALUES, storage=VALUES, offset=2, size=size, stride=stride)
    expected = {**arrays, "turned": VALUES[2:22].reshape(5, 4).T, "strided": VALUES[2:20:3]}
    same_arrays(read_torch_checkpoint(save(tmp_path / "weights", state)), expected)


@pytest.mark.parametrize("key", ["state_dict", "model", "net", "weights"])
@pytest.mark.parametrize("save", FORMATS.values(), ids=FORMATS)
def test_only_the_network_is_read(save, key, tmp_path):
    arrays = {"a.weight": VALUES.reshape(4, 6), "a.bias": VALUES[:4]}
    optimizer = {"state": {140_000_000_000: {"exp_avg": Saved(VALUES)}}, "param_groups": [{}]}
    content = {
        "epoch": 3,
        "arch": "resnet50",
        "best": Saved(np.array(0.5)),
        key: torch_writers.saved(arrays),
        "optimizer": optimizer,
        "history": [1.5, None, True, (2, "x")],
    }
    same_arrays(read_torch_checkpoint(save(tmp_path / "model.pth.tar", content)), arrays)
    # The only dict of tensors, under an unusual name; a usual name holds no tensors.
    unusual = {"model": {"name": "resnet50"}, "generator": torch_writers.saved(arrays)}
    same_arrays(read_torch_checkpoint(save(tmp_path / "unusual.pt", unusual)), arrays)
    nested = {"checkpoint": 1, "model": {"state_dict": torch_writers.saved(arrays), "epoch": 3}}
    same_arrays(read_torch_checkpoint(save(tmp_path / "nested.pt", nested)), arrays)
    mixed = {**torch_writers.saved(arrays), "epoch": 3, "loss": [0.5]}
    same_arrays(read_torch_checkpoint(save(tmp_path / "mixed.pt", mixed)), arrays)


def test_bfloat16_is_widened(tmp_path):
    # The upper half of float32; small integers lose nothing.
    upper = (VALUES.view("uint32") >> 16).astype("uint16")
    for name in ("zip", "legacy"):
        path = FORMATS[name](tmp_path / name, {"a": Saved(upper)})
        same_arrays(read_torch_checkpoint(path), {"a": VALUES})


def test_byte_order_of_a_zip_file(tmp_path):
    arrays = {"a": VALUES, "n": np.array([1, 256]), "b": np.array([True, False])}
    state = torch_writers.saved(arrays)
    path = torch_writers.save_zip(tmp_path / "big", state, byteorder="big")
    same_arrays(read_torch_checkpoint(path), arrays)
    path = torch_writers.save_zip(tmp_path / "odd", state, byteorder="middle")
    with pytest.raises(InputError, match="odd: damaged .unknown byte order"):
        read_torch_checkpoint(path)


def test_views_of_storages(tmp_path):
    content = {
        "whole": Saved(VALUES, storage=VALUES),
        "part": Saved(VALUES[4:12], storage=VALUES, offset=2, size=(3,), stride=(2,), part=(4, 8)),
    }
    for name in ("legacy", "python2"):
        arrays = read_torch_checkpoint(FORMATS[name](tmp_path / name, content))
        same_arrays(arrays, {"whole": VALUES, "part": VALUES[6:12:2]})


@pytest.mark.parametrize(
    "module, name, state",
    [
        ("torch._utils", "_rebuild_parameter", None),
        ("torch.nn.parameter", "Parameter", (True, False, collections.OrderedDict())),
        ("torch.autograd.variable", "Variable", (True, False, None)),
    ],
)
def test_parameters(module, name, state, tmp_path):
    parameter = Call(Name(module, name), (Saved(VALUES),), state)
    path = torch_writers.save_python2(tmp_path / "parameters", {"a": parameter})
    same_arrays(read_torch_checkpoint(path), {"a": VALUES})


@pytest.mark.parametrize("save", FORMATS.values(), ids=FORMATS)
def test_file_cut_off_anywhere(save, tmp_path):
    path = save(tmp_path / "model.pth", torch_writers.saved({"a": VALUES, "b": VALUES[:5]}))
    whole = path.read_bytes()
    # A tar is complete without the padding at its end.
    useful = len(whole.rstrip(b"\0")) if save is torch_writers.save_tar else len(whole)
    for length in [*range(0, useful - 10, max(1, useful // 40)), useful - 10]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="model.pth") as caught:
            read_torch_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_noise_in_a_file(tmp_path):
    rng = np.random.default_rng(0)
    for name, save in FORMATS.items():
        path = save(tmp_path / name, torch_writers.saved({"a": VALUES, "b": VALUES[:5]}))
        whole = bytearray(path.read_bytes())
        for _ in range(60):
            broken = bytearray(whole)
            for place in rng.integers(0, len(whole), 8):
                broken[place] = rng.integers(256)
            path.write_bytes(broken)
            file_kind(path)  # must not raise
            try:  # a changed byte of a weight is no damage
                read_torch_checkpoint(path)
            except InputError as error:
                assert "\n" not in str(error)


def test_other_kinds_of_files(tmp_path):
    with pytest.raises(InputError, match="no such file: .*model.pth"):
        read_torch_checkpoint(tmp_path / "model.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="this is a Python pickle that torch.save did not write"):
        read_torch_checkpoint(tmp_path / "old.pth")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(InputError, match="this is a zip archive"):
        read_torch_checkpoint(tmp_path / "pictures.zip")
