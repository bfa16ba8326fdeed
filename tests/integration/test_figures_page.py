"""Figure 8 of docs/figures.md, run as printed."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pages
from PIL import Image


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
    section = re.search(r"^## Figure 8.*", pages.text("docs/figures.md"), flags=re.S | re.M).group()
    # Only epochs, batch and image size are changed.
    tiny = "--epochs=1 --batch_size=2 --input_size=48,64"
    section, changed = re.subn(r"^( {4}[NG]=).*$", rf'\1"{tiny}"', section, flags=re.M)
    lines = pages.commands(section)
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
