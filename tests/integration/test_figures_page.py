"""Commands of docs/figures.md and README.md: flags exist, and Figure 8 runs as printed."""

import importlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from trainers.engine.options import flat

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/figures.md").read_text("utf-8")


def commands(text):
    """[module, flag, ...] of every command in a page's indented lines, variables filled in."""
    blocks = "\n".join(re.findall(r"^ {4}(.*)$", text, flags=re.M)).replace("\\\n", "")
    variables, lines = {}, []
    for line in blocks.splitlines():
        for name, value in variables.items():
            line = re.sub(rf"\${name}\b", value, line)
        if assigned := re.fullmatch(r'(\w+)="(.*)"', line):
            variables[assigned[1]] = assigned[2]
        elif line.startswith("python -m "):
            lines.append(shlex.split(line)[2:])
    return lines


@pytest.mark.parametrize("page", ["docs/figures.md", "README.md"])
def test_printed_flags_exist(page):
    lines = commands((ROOT / page).read_text("utf-8"))
    assert lines
    for module, *arguments in lines:
        names = flat(importlib.import_module(module).Options())
        files = module == "trainers.explain_image"
        for argument in arguments:
            if files and not argument.startswith("-"):
                continue
            name = argument.removeprefix("--").split("=")[0]
            assert argument.startswith("--") and name in names, (module, argument)


def write_nyu(folder):
    rng = np.random.default_rng(0)
    folder.mkdir()
    for split in ("train", "test"):
        rows = ""
        for number in range(2):
            name = f"{split}{number}"
            Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(
                folder / f"{name}.jpg"
            )
            depth = rng.integers(20, 250, (48, 64)).astype(np.uint8)
            Image.fromarray(depth).save(folder / f"{name}.png")
            rows += f"{name}.jpg,{name}.png\n"
        (folder / f"nyu2_{split}.csv").write_text(rows)


def test_figure_8(tmp_path):
    section = re.search(r"^## Figure 8.*", PAGE, flags=re.S | re.M).group()
    # Only epochs, batch and image size are changed.
    tiny = "--epochs=1 --batch_size=2 --input_size=48,64"
    section, changed = re.subn(r"^( {4}[NG]=).*$", rf'\1"{tiny}"', section, flags=re.M)
    lines = commands(section)
    assert changed == 2 and len(lines) == 7
    write_nyu(tmp_path / "NYU")
    cases = [[module.removeprefix("trainers."), *arguments] for module, *arguments in lines]
    ran = subprocess.run(
        [sys.executable, pathlib.Path(__file__).with_name("run_many.py"), "results.json"],
        input=json.dumps(cases),
        text=True,
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert ran.returncode == 0, ran.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    for case, (code, _, err) in zip(cases, results, strict=True):
        assert code == 0, (case, err)
    rows = json.loads((tmp_path / "runs/figure8/masks.json").read_text())["rows"]
    assert [row["mask"] for row in rows if row["frame"] == 0] == [
        "depth",
        "depth + gradient",
        "depth + gradient + normal",
    ]
    assert (tmp_path / "runs/figure8/masks.png").is_file()
