"""Files of torch.save, read without PyTorch: their tensors, and nothing else that they ask for."""

import builtins
import collections
import io
import os
import pickle
import struct
import subprocess
import zipfile

import numpy as np
import pytest
import torch_writers
from torch_writers import FORMATS, Call, Id, Name, Saved

from tfdepthviz.models.porting import read_torch_checkpoint
from tfdepthviz.models.porting.file_kinds import file_kind
from tfdepthviz.utils.errors import InputError

VALUES = np.arange(24, dtype="float32")
MANY = np.zeros(4000, "float32")


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
    # Row and column of one storage, which nothing else has.
    for name, size, stride in (("turned", (4, 5), (1, 4)), ("strided", (6,), (3,))):
        state[name] = Saved(VALUES, storage=VALUES, offset=2, size=size, stride=stride)
    expected = {**arrays, "turned": VALUES[2:22].reshape(5, 4).T, "strided": VALUES[2:20:3]}
    same_arrays(read_torch_checkpoint(save(tmp_path / "weights", state)), expected)


@pytest.mark.parametrize("key", ["state_dict", "model", "net", "weights"])
@pytest.mark.parametrize("save", FORMATS.values(), ids=FORMATS)
def test_what_lies_beside_the_network_is_left_aside(save, key, tmp_path):
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
    # No usual name, but the only dict of tensors; and a usual name that holds none.
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


def test_the_byte_order_that_a_zip_file_states(tmp_path):
    arrays = {"a": VALUES, "n": np.array([1, 256]), "b": np.array([True, False])}
    state = torch_writers.saved(arrays)
    path = torch_writers.save_zip(tmp_path / "big", state, byteorder="big")
    same_arrays(read_torch_checkpoint(path), arrays)
    path = torch_writers.save_zip(tmp_path / "odd", state, byteorder="middle")
    with pytest.raises(InputError, match="odd: damaged .unknown byte order"):
        read_torch_checkpoint(path)


def test_views_of_storages_as_pytorch_03_saved_them(tmp_path):
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
def test_parameters_are_their_tensors(module, name, state, tmp_path):
    parameter = Call(Name(module, name), (Saved(VALUES),), state)
    path = torch_writers.save_python2(tmp_path / "parameters", {"a": parameter})
    same_arrays(read_torch_checkpoint(path), {"a": VALUES})


# --- what a file must not do ---


class WithState:
    def __setstate__(self, state):
        subprocess.check_call(state)


def attacks(marker):
    touch = f"touch {marker}"
    state = Call(Name(__name__, "WithState"), (), ["touch", str(marker)])
    return {
        "os.system": Call(Name("os", "system"), (touch,)),
        "posix.system": Call(Name("posix", "system"), (touch,)),
        "builtins.eval": Call(Name("builtins", "eval"), (f"open({str(marker)!r}, 'w').close()",)),
        "__builtin__.eval": Call(
            Name("__builtin__", "eval"), (f"open({str(marker)!r}, 'w').close()",)
        ),
        "test_torch_files.WithState": state,
        "torch.hub.load": Call(Name("torch.hub", "load"), ("x", "y")),
        # The reader must not look further than the full name, either.
        "torch._utils.os.system": Call(Name("torch._utils", "os.system"), (touch,)),
    }


@pytest.mark.parametrize("attack", attacks("x"))
@pytest.mark.parametrize("save", FORMATS.values(), ids=FORMATS)
def test_nothing_that_a_file_asks_for_is_run(save, attack, tmp_path):
    marker = tmp_path / "executed"
    call = attacks(marker)[attack]
    for number, content in enumerate(
        [
            call,
            {"a": Saved(VALUES), "b": call},
            {"a": call, "state_dict": torch_writers.saved({"a": VALUES})},
            {"a": Id(call)},
            {"a": Id(("storage", call, "0", "cpu", 24, None))},
            {"a": Id(("module", call, "model.py", "source"))},
        ]
    ):
        path = save(tmp_path / f"{number}.pth", content)
        with pytest.raises(InputError, match=rf"{number}.pth: it asks for \S*{attack}") as caught:
            read_torch_checkpoint(path)
        assert "\n" not in str(caught.value) and "save its state_dict()" in str(caught.value)
    assert not marker.exists()


def test_the_attacks_would_run_in_a_plain_unpickler(tmp_path):
    """Otherwise the test above would show nothing."""
    for attack in ("os.system", "posix.system", "builtins.eval"):
        marker = tmp_path / attack
        stream = io.BytesIO()
        torch_writers.Pickler(stream).dump(attacks(marker)[attack])
        pickle.loads(stream.getvalue())
        assert marker.exists()


def test_a_call_in_the_smaller_pickles_of_a_file_is_refused_too(tmp_path):
    marker = tmp_path / "executed"
    call = attacks(marker)["os.system"]
    path = torch_writers.save_legacy(tmp_path / "model", {"a": Saved(VALUES)}, sys_info=call)
    with pytest.raises(InputError, match="asks for os.system"):
        read_torch_checkpoint(path)
    assert not marker.exists()


def nested(depth):
    """A tuple to look at, print or compare which takes 2**depth steps."""
    value = ("x",)
    for _ in range(depth):
        value = (value, value)
    return value


@pytest.mark.parametrize(
    "content, complaint",
    [
        ({"a": Id(("storage", nested(60), "0", "cpu", 4, None))}, "of tuple, which is no tensor"),
        ({"a": Id(("storage", "f4", nested(60), "cpu", 4, None))}, "no tensor"),
        ({"a": Id((nested(60), "f4", "0", "cpu", 4, None))}, "holds a 'tuple'"),
        ({"a": Saved(VALUES, size=nested(60), stride=nested(60))}, "place in it is tuple"),
        ({"epoch": nested(60)}, "Received: epoch"),
        ({k: {"w": Saved(VALUES)} for k in ("g", "d")}, "or one under state_dict. Received: g, d"),
        ({}, "Received: nothing"),
        ({"a": 1.5}, "Received: a"),
        ([1, 2], "Received: list"),
        (Saved(VALUES), "Received: Tensor"),
        ({"a": Saved(VALUES, offset=23, size=(2,))}, "a reaches beyond its storage"),
        ({"a": Saved(VALUES, size=(25,), stride=(0,))}, "a is larger than its storage"),
        ({"a": Saved(VALUES, size=(2**31, 2**31), stride=(0, 0))}, "larger than its storage"),
        ({"a": Saved(VALUES, size=(2,), stride=(-1,))}, "damaged .a size or place in it is -1"),
        ({"a": Saved(VALUES, size=(2**62,))}, "damaged .a size or place"),
        ({"a": Saved(VALUES, size=("2",))}, "damaged .a size or place in it is 2"),
        ({"a": Saved(VALUES, size=(1,) * 40, stride=(1,) * 40)}, "damaged"),
        ({"a\n\x1b[31m": Saved(VALUES, offset=24)}, r"a\\n\\x1b\[31m reaches"),
        ({f"{i}": Saved(MANY, storage=MANY) for i in range(200)}, "would take 3200000 bytes"),
        ({"a": Id(("module", "x", "y", "z", 0, None))}, "it holds a 'module' of x"),
        ({"a": Id(("storage", "f4", "0", "cpu", 2**70, None))}, "damaged .a size"),
        ({"a": Id(("storage", "f4", ("0",), "cpu", 4, None))}, "no tensor"),
        ({"a": Id(7)}, "damaged"),
    ],
)
def test_a_file_that_claims_what_cannot_be_is_refused(content, complaint, tmp_path):
    path = torch_writers.save_legacy(tmp_path / "model.pth", content)
    with pytest.raises(InputError, match=f"model.pth: .*{complaint}") as caught:
        read_torch_checkpoint(path)
    assert "\n" not in str(caught.value)


PICKLES = {
    "a million steps": (b"]0" * 600_000 + b"N.", "more steps"),
    "one list copied again and again": (
        b"]q\x00(" + b"K\x01" * 2000 + b"e0" + b"ccollections\nOrderedDict\nh\x00\x85R0" * 2000,
        "damaged|more steps",
    ),
    "places in the memo": (b"]r\xff\xff\xff\xff.", "Received: list"),
    "a long string that is not there": (b"\x8d" + struct.pack("<Q", 1 << 50), "damaged"),
    "more bytes than there are": (b"T" + struct.pack("<i", 1 << 30), "damaged"),
    # Its hash would take 2**60 steps.
    "a nest of tuples as a key": (
        b"}U\x01x" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",
        "a size or place",
    ),
    "colliding keys": (pickle.dumps({(2**61 - 1) << 8: 1}, 2)[2:], "a size or place"),
    "an empty stack": (b"0000.", "damaged"),
    "a mark that is not there": (b"t.", "damaged"),
    "a deep nest": (b"]" * 100_000 + b"a" * 99_999 + b".", "Received: list"),
    "an extension": (b"\x82\x01.", "instruction EXT1"),
    "a class by its old instruction": (b"(ios\nsystem\n.", "instruction INST"),
    "a function that is none": (b"U\x02f4)R.", "calls what is no function"),
    "state for a number": (b"K\x01}b.", "sets the state"),
    "an item of a number": (b"K\x01U\x01aK\x02s.", "no dict"),
    "no end": (b"N", "damaged"),
    "noise": (bytes(np.random.default_rng(0).integers(0, 256, 999, np.uint8)), "damaged|Received"),
}


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles_end_in_one_line(name, tmp_path):
    body, complaint = PICKLES[name]
    path = tmp_path / "model.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02" + body)
    with pytest.raises(InputError, match=complaint) as caught:
        read_torch_checkpoint(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_zip_archives_that_unpack_to_more_than_they_are(tmp_path):
    stream = io.BytesIO()
    torch_writers.Pickler(stream, fields=5).dump({"a": Saved(np.zeros(10_000_000, "float32"))})
    bombs = {"data/0": bytes(40_000_000), "data.pkl": b"\x80\x02" + b"]0" * 10_000_000}
    for name, content in bombs.items():
        path = tmp_path / "bomb.pth"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("m/data.pkl", stream.getvalue())
            archive.writestr(f"m/{name}", content) if name != "data.pkl" else None
        if name == "data.pkl":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("m/data.pkl", content)
        with pytest.raises(InputError, match="bomb.pth: would unpack to"):
            read_torch_checkpoint(path)


@pytest.mark.parametrize("save", FORMATS.values(), ids=FORMATS)
def test_a_file_that_was_cut_off_is_refused_wherever_it_ends(save, tmp_path):
    path = save(tmp_path / "model.pth", torch_writers.saved({"a": VALUES, "b": VALUES[:5]}))
    whole = path.read_bytes()
    # A tar ends in padding, without which it is complete.
    useful = len(whole.rstrip(b"\0")) if save is torch_writers.save_tar else len(whole)
    for length in [*range(0, useful - 10, max(1, useful // 40)), useful - 10]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="model.pth") as caught:
            read_torch_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_a_file_of_noise_behind_a_true_beginning_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for name, save in FORMATS.items():
        path = save(tmp_path / name, torch_writers.saved({"a": VALUES, "b": VALUES[:5]}))
        whole = bytearray(path.read_bytes())
        for _ in range(60):
            broken = bytearray(whole)
            for place in rng.integers(0, len(whole), 8):
                broken[place] = rng.integers(256)
            path.write_bytes(broken)
            file_kind(path)  # has a word for anything
            try:  # a byte of a weight may be any byte
                read_torch_checkpoint(path)
            except InputError as error:
                assert "\n" not in str(error)


def test_two_descriptions_of_one_storage(tmp_path):
    """The larger one must not reach behind what the smaller one has read."""
    rebuild = Name("torch._utils", "_rebuild_tensor_v2")
    state = {}
    for name, count in (("a", 4), ("b", 400)):
        what = Id(("storage", Name("torch", "FloatStorage"), "0", "cpu", count))
        state[name] = Call(rebuild, (what, 0, (count,), (1,), False, None))
    stream = io.BytesIO()
    torch_writers.Pickler(stream, fields=5).dump(state)
    path = tmp_path / "model.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", stream.getvalue())
        archive.writestr("m/data/0", bytes(16))
    with pytest.raises(InputError, match="storage 0 is described in two ways"):
        read_torch_checkpoint(path)


def test_other_files_are_named_for_what_they_are(tmp_path):
    with pytest.raises(InputError, match="no such file: .*model.pth"):
        read_torch_checkpoint(tmp_path / "model.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="this is a Python pickle that torch.save did not write"):
        read_torch_checkpoint(tmp_path / "old.pth")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(InputError, match="this is a zip archive"):
        read_torch_checkpoint(tmp_path / "pictures.zip")
    assert builtins.eval is eval and os.system  # nobody has replaced what the attacks call
