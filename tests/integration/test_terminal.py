"""Terminal output: bars and lines, in a terminal of 100 columns and in a log file."""

import html
import importlib
import io
import pathlib
import re
import shlex
import sys
from types import SimpleNamespace

import commands
import pytest

from trainers import (
    compare_masks,
    complete_depth,
    demo,
    evaluate,
    explain,
    optimize_mask,
    sweep_sparsity,
    train_depth,
    train_mask,
)
from trainers.cli import ending
from trainers.cli.data import Data
from trainers.cli.mask_training import MaskTraining
from trainers.cli.target import Target
from trainers.engine import progress, training_lines
from trainers.engine.options import changed, replaced


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_in_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    stream = Terminal()
    assert list(progress.bar([1, 2], file=stream, desc="evaluating", unit="batch")) == [1, 2]
    written = stream.getvalue()
    assert "\revaluating: 100%" in written
    assert max(map(len, re.split(r"[\r\n]", written))) <= 100


def test_lines_in_a_log_file(monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setattr(progress, "INTERVAL", 0)
    stream = io.StringIO()
    for _ in progress.bar(range(3), file=stream, desc="evaluating", unit="batch"):
        pass
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue() and len(lines) >= 4
    assert re.match(r"evaluating: +0%.* 0/3 ", lines[0]) and "100%" in lines[-1]
    assert max(map(len, lines)) <= 100


def test_short_work_leaves_no_line_in_a_log_file():
    stream = io.StringIO()
    assert list(progress.bar(range(3), file=stream)) == [0, 1, 2]
    assert stream.getvalue() == ""


def test_bar_in_a_notebook(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", pytest)
    assert list(progress.bar([1, 2], desc="evaluating")) == [1, 2]
    assert "evaluating: 100%" in capsys.readouterr().err  # here without ipywidgets


def test_time_of_a_training(monkeypatch, capsys):
    """60 steps that take 3 s each, the first one 30 s."""
    # Read at the start, after the first step and the one five later, and at the end.
    clock = iter([0.0, 30.0, 45.0, 207.0])
    monkeypatch.setattr(training_lines, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    lines = training_lines.TrainingLines(epochs=2, steps_per_epoch=60)
    lines.on_epoch_begin(0)
    for step in range(60):
        lines.on_train_batch_end(step, {"loss": 1.0})
        if step == 5:
            said = capsys.readouterr().out
            assert said == "about 6 min for the other 114 steps, and more for validation\n"
    lines.on_epoch_end(0, {"loss": 1.0, "rmse": float("nan"), "val_loss": 2.0})
    written = capsys.readouterr().out.splitlines()
    assert written == ["epoch 1/2, 3 min", "  training: loss 1", "  validation: loss 2"]


@pytest.mark.parametrize("recipe", ["ranking", "paper"])
def test_train_mask_without_truth(finished_run, tiny_networks, tmp_path, capsys, recipe):
    flags, _ = finished_run
    images = f"{flags['data_dir']}/nyu2_test"
    flags = {**flags, "dataset": "folder", "data_dir": images, "recipe": recipe}
    folder = commands.run(train_mask, **flags, workdir=str(tmp_path / "w"))
    out, err = capsys.readouterr()
    lines = out.splitlines()
    # Of masks that kept everything, which two epochs of lambda may leave.
    assert err == "" or recipe == "paper" and err.startswith("warning: epoch 2: ")
    assert "\r" not in out and "nan" not in out
    # Flags of long paths stand in lines of their own.
    assert all(len(line) <= 100 or str(tmp_path) in line or images in line for line in lines)
    assert lines[0].startswith(f"train of {images}: the first ")
    assert lines[1].startswith(f"validation of {images}: the last ")
    assert re.fullmatch(r"images: \d+ to train on, .*; epochs: 2; steps: .* \d+ in all", lines[2])
    assert lines[3].startswith("warning: ") and "below 100 steps" in lines[3]
    # TensorBoard's card has the command that trains the same again.
    (events,) = (folder / "logs/run").iterdir()
    (command,) = re.findall(rb"`(python -m trainers.train_mask [^`]*)`", events.read_bytes())
    assert {"--epochs=2", "--workdir=runs/again"} <= set(shlex.split(command.decode()))
    assert f"look at: {folder / 'report.html'}" in lines
    assert sum(line.startswith("  # ") for line in lines) == 3
    assert (folder / "curves.png").is_file() and (folder / "frame_0.png").is_file()
    (result,) = (line for line in lines if " from N(I)" in line)
    page = (folder / "report.html").read_text()
    assert html.escape(result) in page.replace("\n", " ")


def test_train_depth(finished_run, tiny_networks, tmp_path, capsys):
    flags, _ = finished_run
    kept = ("dataset", "data_dir", "depth_net", "input_size", "batch_size", "epochs")
    flags = {name: flags[name] for name in kept}
    folder = commands.run(train_depth, **flags, workdir=str(tmp_path / "w"))
    lines = capsys.readouterr().out.splitlines()
    assert any(re.match(r"RMSE against ground truth: \d\.\d{3} m \(val", line) for line in lines)
    assert f"look at: {folder / 'report.html'}" in lines and (folder / "frame_0.png").is_file()


def hints():
    """Command lines that commands print at their ends."""
    data = Data(dataset="kitti", data_dir="KITTI")
    own = Target(depth_net="my.py:build", depth_kind="inverse", depth_input="unit")
    more = {"data": data, "target": own, "input_size": (64, 96)}
    weights = {"mask_weights": "runs/g/mask_net.keras"}
    folder = pathlib.Path("out")
    training = replaced(MaskTraining(**more), workdir="w", mask_net="compact")
    yield from evaluate._next(evaluate.Options(**more, **weights, mask_net="drn_d_22"), folder)
    yield from evaluate._next(evaluate.Options(**more), folder)
    yield from compare_masks._next(compare_masks.Options(**more, **weights))
    yield from compare_masks._next(compare_masks.Options(**more))
    yield from optimize_mask._next(optimize_mask.Options(**more), folder)
    yield from sweep_sparsity._next(training, "a.keras,b.keras")
    yield from complete_depth._next(data, folder)
    yield from train_mask._next(training, folder)
    yield from explain._next(explain.Options(images=(".",)))
    yield from demo.next_commands(folder, "savedmodels/demo/1")


def test_hints_parse():
    lines = [line for _, line in hints() if " -m trainers." in line]
    assert len(lines) >= 14
    for line in lines:
        words = shlex.split(line)
        module = importlib.import_module(words[words.index("-m") + 1])
        received, line = [], words[words.index("-m") + 1 :]
        code, _, err = commands.parsed(received.append, module.Options, line)
        assert (code, err, len(received)) == (0, "", 1), line


def test_flags_of_a_hint():
    data = Data(dataset="nyu", data_dir="my data", skip_bad_examples=True)
    words = ["--dataset=nyu", "--data_dir=my data", "--skip_bad_examples=true"]
    assert changed(data) == words


def test_long_hints_are_wrapped(capsys):
    line = "tfdepthviz train_mask " + " ".join(f"--flag_{n}=value" for n in range(12))
    ending.conclude("word " * 60, pictures="w/report.html", commands=[("go on", line)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    start = lines.index("  # go on") + 1
    assert all(text.endswith(" \\") for text in lines[start:-1])
    assert " ".join(text.strip(" \\") for text in lines[start:]) == line
