"""Flags of all commands: each is written once, and --help lists it under its group."""

import dataclasses
import importlib
import json
import pathlib
import subprocess
import sys

import commands
import pytest
import tensorflow as tf

from tfdepthviz.serving.server import Limits
from trainers import evaluate, explain, serve, sweep_sparsity, train_mask
from trainers.cli import flag_types
from trainers.cli.data import Data
from trainers.cli.flag_help import sections
from trainers.cli.flags import flag
from trainers.engine.options import as_flags, flat, replaced

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "trainers").glob("[!_]*.py"))


def options_class(name):
    return importlib.import_module(f"trainers.{name}").Options


def help_of(name):
    code, out, err = commands.parsed(print, options_class(name), [name, "--help"])
    assert (code, err) == (0, "")
    return out


def test_one_line_adds_a_flag():
    """It is parsed and checked, reaches `run` and config.json, and stands in --help."""

    @dataclasses.dataclass(frozen=True)
    class Options(train_mask.Options):
        """Share of the pixels."""

        rounds: int = flag(1, "How often.", flag_types.positive_integer)

    received = []
    line = ["train_mask", "--rounds=3", "--epochs=2"]
    assert commands.parsed(received.append, Options, line) == (0, "", "")
    (options,) = received
    assert options.rounds == 3 and options.mask_training.training.epochs == 2
    expected = {**flat(train_mask.Options()), "rounds": 3, "epochs": 2}
    assert json.loads(json.dumps(flat(options))) == json.loads(json.dumps(expected))
    code, _, err = commands.parsed(received.append, Options, ["train_mask", "--rounds=0"])
    assert code == 1 and err.startswith("error: flag --rounds=0: ")
    _, out, _ = commands.parsed(received.append, Options, ["train_mask", "--help"])
    assert "\n  --rounds=1\n      How often. (a positive integer)\n" in out


@pytest.mark.parametrize("name", NAMES)
def test_names_are_unique(name):
    fields = [field.name for _, part in sections(options_class(name)()) for field, _ in part]
    assert sorted(fields) == sorted(flat(options_class(name)()))


@pytest.mark.parametrize("name", NAMES)
def test_help(name):
    text = help_of(name)
    assert f"python -m trainers.{name}" in text
    assert max(map(len, text.splitlines())) <= 100
    listed = [line.split("=")[0] for line in text.splitlines() if line.startswith("  --")]
    words = {"  --clip", "  --image", "  --images"}  # files are named without a flag
    assert set(listed) == {f"  --{name}" for name in flat(options_class(name)())} - words
    assert len(set(listed)) == len(listed)


def test_help_in_groups():
    text = help_of("train_mask")
    headings = [line for line in text.splitlines() if line[:1].strip() and line.endswith(":")]
    assert headings[-4:] == [
        "Data set:",
        "Training:",
        "Mask generator G. Flags without a default take their values from --recipe:",
        "Depth network N:",
    ]
    for line in (
        *("  --recipe=ranking", "  --data_dir", "  --skip_bad_examples=false"),
        *("  --keep", "  --loss", "  --learning_rate", "  --epochs"),  # the recipe decides
    ):
        assert f"\n{line}\n" in text


def test_sweep_has_the_flags_of_train_mask():
    # The list of values implies the recipe, and a ranking its N.
    own = {"sparsity_weights", "shares", "ranking", "threshold", "recipe", "depth_net"}
    sweep, train = flat(sweep_sparsity.Options()), flat(train_mask.Options())
    assert set(sweep) - own == set(train) - {"recipe", "depth_net"}
    assert {name: train.get(name) for name in sweep if name not in own} == {
        name: value for name, value in sweep.items() if name not in own
    }


def test_serve_has_every_limit():
    assert dataclasses.asdict(serve.LimitFlags()) == dataclasses.asdict(Limits())


def test_flags_replaced_by_name():
    options = train_mask.Options()
    changed = replaced(options, data_dir="d", seed=3, keep="0.5")
    assert flat(changed) == {**flat(options), "data_dir": "d", "seed": 3, "keep": "0.5"}
    assert changed.mask_training.data == Data(data_dir="d") and flat(options)["seed"] == 0
    with pytest.raises(TypeError, match="epoch"):
        replaced(options, epoch=1)


def test_arguments_of_a_message_as_flags():
    names = ("data_dir", "depth_glob")
    for text, expected in (
        ("data_dir=nowhere: no such folder", "--data_dir=nowhere: no such folder"),
        ("no partner of depth_glob=*.txt", "no partner of --depth_glob=*.txt"),
        ("--data_dir=x: where data_dir has them", "--data_dir=x: where --data_dir has them"),
        ("try builder('nyu', data_dir='x')", "try builder('nyu', data_dir='x')"),
        ("my_data_dir=1", "my_data_dir=1"),
    ):
        assert as_flags(text, names) == expected


def test_home_and_variables_are_filled_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DATA", "/data")
    monkeypatch.chdir(tmp_path)
    received = []
    line = ["--data_dir=$DATA/nyu", "--mask_weights=~/a.keras,$HOME/b$.keras", "--output_dir=~"]
    commands.parsed(received.append, evaluate.Options, ["evaluate", *line])
    (options,) = received
    assert options.data.data_dir == "/data/nyu" and options.output_dir == str(tmp_path)
    assert options.mask_weights == f"{tmp_path}/a.keras,{tmp_path}/b$.keras"
    commands.parsed(received.append, explain.Options, ["explain", "~/photos", "a~b.jpg"])
    assert received[1].images == (f"{tmp_path}/photos", "a~b.jpg")
    for value in ("~no_such_user/x", "$NOWHERE/x"):
        line = ["evaluate", f"--output_dir={value}"]
        code, _, err = commands.parsed(print, evaluate.Options, line)
        says = f"{value}: {value!r} begins with no known user or variable"
        assert (code, err) == (1, f"error: --output_dir={says}\n")


def test_out_of_memory_is_one_line():
    def run(_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\n a tensor")

    line = ["evaluate", "--batch_size=64"]
    assert commands.parsed(run, evaluate.Options, line) == (
        1,
        "",
        "error: out of memory (OOM when allocating a tensor); lower --batch_size=64\n",
    )


def test_names_that_are_not_utf_8_are_printed():
    code = (
        "import os, trainers.cli.flags as f, trainers.evaluate as e\n"
        "f.main(lambda o: print(os.fsdecode(b'caf\\xe9')), e.Options)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "caf\\udce9\n"), ran.stderr
