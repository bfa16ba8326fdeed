"""Figure 8 of docs/figures.md: its commands in turn, on networks of a few weights."""

import importlib
import json
import re

import commands
import pages
import pytest
import tiny_nets
from nyu_files import write_nyu

pytestmark = pytest.mark.slow


def test_figure_8(tiny_networks, tmp_path, monkeypatch):
    section = re.search(r"^## Figure 8.*", pages.text("docs/figures.md"), flags=re.S | re.M).group()
    # Only epochs, batch, image size and networks are changed.
    tiny = "--epochs=1 --batch_size=2 --input_size=32,40 --depth_net=tiny"
    section, of_n = re.subn(r'^( {4}N=").*"$', rf'\1{tiny}"', section, flags=re.M)
    tiny += " --mask_net=tiny --mask_weights=random --strips=1"
    section, of_g = re.subn(r'^( {4}G="--recipe=\w+) .*"$', rf'\1 {tiny}"', section, flags=re.M)
    lines = pages.commands(section)
    assert of_n == of_g == 1 and len(lines) == 7
    monkeypatch.setattr(tiny_nets, "SIZE", (32, 40))
    monkeypatch.chdir(tmp_path)
    write_nyu(tmp_path / "NYU")
    for name, *words in lines:
        module = importlib.import_module(name)
        code, _, err = commands.parsed(module.run, module.Options, [name, *words])
        assert code == 0, (name, words, err)
    rows = json.loads((tmp_path / "runs/figure8/masks.json").read_text())["rows"]
    assert [row["mask"] for row in rows if row["frame"] == 0] == [
        "depth",
        "depth + gradient",
        "depth + gradient + normal",
    ]
    assert (tmp_path / "runs/figure8/masks.png").is_file()
