"""Provokes each case of bad_input_cases.py, and writes the messages to docs/errors.md.

    python tests/helpers/bad_inputs.py docs/errors.md

Each case is run as `python -m trainers.<command>` runs it, but in this process.
"""

import collections
import contextlib
import fcntl
import logging
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent)]

# First: it silences what TensorFlow says while it is loaded.
import trainers  # noqa: E402, F401  isort: skip
import keras  # noqa: E402
import numpy as np  # noqa: E402
import scripts  # noqa: E402
import tensorflow as tf  # noqa: E402
import tiny_nets  # noqa: E402
import torch_writers  # noqa: E402
from bad_input_case import DATA, NETS, RUN, USUAL, truncate  # noqa: E402
from bad_input_cases import CASES  # noqa: E402
from nyu_files import write_nyu  # noqa: E402
from PIL import Image  # noqa: E402

from tfdepthviz import models  # noqa: E402
from tfdepthviz.utils.files import OUTPUT_MARK  # noqa: E402

INTRODUCTION = """\
# What the commands say of bad input

Each mistake ends in one line on standard error that begins with `error: `, and in exit code 1.
Nothing half-written is left, and nothing that was there before is lost. Cases with exit code 0 end
well and say what was mended. Signals have codes of their own: 75 after SIGTERM, 130 after Ctrl-C.

`python tests/helpers/bad_inputs.py docs/errors.md` writes this page from what it observes, and
a test observes it all again. bad_input_case.py there says what the folders hold that are named here
and which flags stand before those that are shown; `tiny` is a network of the tests. Disks that are
full or read-only are real ones, for which the tests need the right to mount.

A file of a work folder that was damaged, by a bit or by half its length
(tests/integration/test_damaged_workdir.py), is never taken for a whole one:

| file | what the same command does |
|---|---|
| any file of the newest checkpoint | says what is damaged, and goes on from the one before |
| of all checkpoints | ends with an error that names the folder; removes nothing |
| config.json | ends with an error that names it; once it is removed, the command goes on |
| history.csv | writes it anew from the checkpoint |
| .lock | goes on; what it holds is not read |
| event files in logs/ | warns, keeps what TensorBoard can still read, and goes on |
| mask_net.keras, depth_net.keras | writes it anew from the last checkpoint |
"""

VARYING = {
    # where the extra heic is installed
    ", .heic, .heif": "",
    r"/\S*/(?=(cut|size|colours|out)/)": "FOLDER/",
    r"[\d.]+ of [\d.]+ MB": "N of N MB",
    r"(?<='content': ')[0-9a-f]+": "SHA256",
    r"\((1:1 : |\[Errno -\d).*\)": "(...)",
    r"(?<=compact)(_edges|_ranking)?(, |,|\|)tiny": r"\1",
}


@contextlib.contextmanager
def prepared():
    """A temporary current folder that holds what the cases start from; yields whether to mount."""
    before, size, nets = os.getcwd(), tiny_nets.SIZE, (models.DEPTH_NETS, models.MASK_NETS)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.callback(os.chdir, before)
        # absl adds one of its own, through which a server's warnings would reach later tests.
        stack.callback(setattr, logging.root, "handlers", list(logging.root.handlers))
        os.chdir(folder)
        stack.callback(setattr, tiny_nets, "SIZE", size)
        tiny_nets.SIZE = (32, 40)
        for registry, build in zip(nets, (tiny_nets.depth_net, tiny_nets.mask_net), strict=True):
            registry["tiny"] = lambda _, build=build: build()
            stack.callback(registry.pop, "tiny")
        write_inputs()
        make_runs()
        lock = stack.enter_context(open("locked/.lock", "w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield can_mount()


def write_inputs():
    for name in ("nyu", "cut", "size", "colours"):
        write_nyu(pathlib.Path(name).absolute())
    truncate("cut/nyu2_train/2.jpg", "cut/nyu2_test/2.jpg")
    Image.fromarray(np.ones((64, 64), np.uint16)).save("size/nyu2_test/1.png")
    Image.open("nyu/nyu2_train/2.jpg").save("colours/nyu2_test/1.png")
    for folder in ("images", "more", "broken", "empty", "locked", "runs"):
        pathlib.Path(folder).mkdir()
    for number in range(3):
        for folder in ("images", "more"):
            shutil.copy(f"nyu/nyu2_test/{number}.jpg", f"{folder}/{number}.jpg")
        pathlib.Path(f"broken/{number}.jpg").write_bytes(b"no image")
    for name in ("file", "bad.keras", "broken/notes.txt"):
        pathlib.Path(name).write_text("neither weights nor a folder\n")
    arrays = torch_writers.saved({"a.weight": np.ones((3, 4), "float32")})
    torch_writers.save_zip(pathlib.Path("other.pth"), arrays)


def make_runs():
    search = "--frames=1 --steps=1 --restarts=1 --output_dir=runs/optimized"
    weights = "--mask_weights=runs/mask/mask_net.keras"
    for command, arguments in (
        ("train_mask", f"{RUN} {NETS} --mask_weights=random --strips=1 --workdir=runs/mask"),
        ("train_depth", f"{RUN} --depth_net=tiny --workdir=runs/depth"),
        ("optimize_mask", f"{DATA} {NETS} {search}"),
        (
            "export_savedmodel",
            f"{weights} --name=tiny --savedmodel_dir=served --max_images=0 --nowarmup",
        ),
    ):
        code, _, err = ran(command, arguments.split())
        assert code == 0, err
    keras.models.load_model("runs/mask/mask_net.keras").save_weights("mask_net.weights.h5")
    for name, source in (
        ("cut.keras", "runs/mask/mask_net.keras"),
        ("cut.npz", "runs/optimized/masks.npz"),
        ("cut.pth", "other.pth"),
    ):
        shutil.copy(source, name)
        truncate(name)


def can_mount():
    pathlib.Path("w").mkdir()
    tried = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "w"], capture_output=True, text=True)
    if tried.returncode:
        print(f"SKIPPED: disks that are full or read-only: {tried.stderr}", file=sys.stderr)
        return False
    subprocess.run(["umount", "w"], check=True)
    return True


def ran(command, arguments):
    """Exit code, standard output and standard error of `python -m trainers.<command>`, run here."""
    return scripts.ran(TESTS.parent / f"trainers/{command}.py", arguments)


def state(*folders):
    """Path -> size and time of every file in the current folder, or in some of its folders."""
    files = {}
    for folder in folders or ("",):
        for path in pathlib.Path(folder).rglob("*"):
            if path.is_file() and (folders or path.parts[0] not in ("w", "out")):
                files[str(path)] = (path.stat().st_size, path.stat().st_mtime_ns)
    return files


def provoke(command, case):
    """Runs a case; returns a dict of exit code, both streams, and files left or changed."""
    for name in ("w", "out"):
        shutil.rmtree(name, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        if case.disk:
            flag = r"--(?:workdir|output_dir|savedmodel_dir|output)=(\w+)"
            folder = re.search(flag, USUAL[command])[1]
            pathlib.Path(folder).mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", case.disk, "tmpfs", folder], check=True)
            # Lazily: this process keeps the lock of a work folder, as commands do until they end.
            stack.callback(subprocess.run, ["umount", "--lazy", folder], check=True)
        if case.prepare:
            case.prepare()
        elsewhere, checkpoints = state(), state("w/checkpoints")
        code, out, err = ran(command, [*USUAL[command].split(), *case.arguments.split()])
        changed = {path for path, _ in elsewhere.items() ^ state().items()}
        lost = checkpoints.items() - state("w/checkpoints").items() if code else ()
        hidden = [p for name in ("w", "out") for p in pathlib.Path(name).rglob(".*")]
    return {
        "command": command,
        "case": case,
        "code": code,
        "out": out,
        "err": err,
        "half-written": [str(p) for p in hidden if p.name not in (".lock", OUTPUT_MARK)],
        "lost or changed": sorted(changed | {path for path, _ in lost}),
    }


def observe():
    """All cases in the order of the table; those that need a mount only where it is permitted."""
    with prepared() as may_mount:
        return [
            provoke(command, case)
            for command, cases in CASES.items()
            for case in cases
            if may_mount or not case.disk
        ]


def message(observed):
    """The line of a case's message, without parts that depend on machine and versions."""
    streams = observed["err"] + ("" if observed["code"] else observed["out"])
    lines = [line for line in re.split(r"[\r\n]+", streams) if observed["case"].says in line]
    line = lines[-1].strip() if lines else ""
    for pattern, text in VARYING.items():
        line = re.sub(pattern, text, line)
    return line


def sections(observations):
    """Name of a command -> its rows of docs/errors.md, lines."""
    rows = collections.defaultdict(list)
    for observed in observations:
        case = observed["case"]
        quoted = [f"`{text}`" if text else "" for text in (case.arguments, message(observed))]
        cells = [case.wrong, *(text.replace("|", "\\|") for text in quoted), str(observed["code"])]
        rows[observed["command"]].append(f"| {' | '.join(cells)} |")
    return rows


def page(observations):
    """docs/errors.md."""
    heading = "| what is wrong | flags | message | exit code |\n|---|---|---|---|\n"
    parts = [
        f"\n## {command}\n\n{heading}" + "".join(f"{row}\n" for row in rows)
        for command, rows in sections(observations).items()
    ]
    return INTRODUCTION + "".join(parts)


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # that traces many functions is known
    target = pathlib.Path(sys.argv[1]).absolute()
    target.write_text(page(observe()), encoding="utf-8")
