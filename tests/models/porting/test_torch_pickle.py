"""Hostile files of torch.save: none runs code, takes for ever, or ends in more than one line."""

import builtins
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
from tfdepthviz.utils.errors import InputError

VALUES = np.arange(24, dtype="float32")
MANY = np.zeros(4000, "float32")


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
        "test_torch_pickle.WithState": state,
        "torch.hub.load": Call(Name("torch.hub", "load"), ("x", "y")),
        # The full name counts, not only its beginning.
        "torch._utils.os.system": Call(Name("torch._utils", "os.system"), (touch,)),
    }


@pytest.mark.parametrize("attack", attacks("x"))
@pytest.mark.parametrize("save", FORMATS.values(), ids=FORMATS)
def test_no_attack_is_run(save, attack, tmp_path):
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


def test_attacks_run_in_a_plain_unpickler(tmp_path):
    """Otherwise the test above would prove nothing."""
    for attack in ("os.system", "posix.system", "builtins.eval"):
        marker = tmp_path / attack
        stream = io.BytesIO()
        torch_writers.Pickler(stream).dump(attacks(marker)[attack])
        pickle.loads(stream.getvalue())
        assert marker.exists()
    assert builtins.eval is eval and os.system  # the attacks call the true functions


def test_call_in_a_smaller_pickle(tmp_path):
    marker = tmp_path / "executed"
    call = attacks(marker)["os.system"]
    path = torch_writers.save_legacy(tmp_path / "model", {"a": Saved(VALUES)}, sys_info=call)
    with pytest.raises(InputError, match="asks for os.system"):
        read_torch_checkpoint(path)
    assert not marker.exists()


def nested(depth):
    """A tuple that takes 2**depth steps to visit, print or compare."""
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
def test_impossible_claims(content, complaint, tmp_path):
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
def test_hostile_pickles(name, tmp_path):
    body, complaint = PICKLES[name]
    path = tmp_path / "model.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02" + body)
    with pytest.raises(InputError, match=complaint) as caught:
        read_torch_checkpoint(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_zip_bombs(tmp_path):
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


def test_two_descriptions_of_one_storage(tmp_path):
    """The larger description must not reach beyond the bytes that the smaller one read."""
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
