"""The demo and the evaluation as a newcomer runs them, on the embedded frames, for one epoch."""

import html.parser
import json
import os
import pathlib
import subprocess
import sys

import commands
import pytest
import tensorflow as tf

from tfdepthviz.utils.errors import InputError
from trainers import evaluate

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Page(html.parser.HTMLParser):
    """Collects what a page shows."""

    def __init__(self, text):
        super().__init__()
        self.pictures, self.outside = 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        source = dict(attrs).get("src") or ""
        self.pictures += source.startswith("data:image/png")
        if tag in ("script", "link") or source.startswith("http"):
            self.outside.append(tag)


def test_demo(tmp_path):
    command = [sys.executable, "-m", "trainers.demo", "--epochs=1"]
    folders = [f"--workdir={tmp_path / 'run'}", f"--output_dir={tmp_path / 'saved'}"]
    ran = subprocess.run([*command, *folders], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert f"report: {tmp_path / 'run' / 'report.html'}" in ran.stdout
    assert ran.stdout.count("\n  # ") == 2  # the two commands that come next

    page = Page((tmp_path / "run" / "report.html").read_text())
    assert page.pictures >= 6 and page.outside == []
    table = json.loads((tmp_path / "run" / "table.json").read_text())
    rows = {row["row"]: row for row in table["rows"]}
    assert list(rows) == ["image", "mask", "binary_mask", "sobel", "random"]
    assert rows["image"]["fidelity_rmse"] == 0 and table["images"] == 43
    for control in ("sobel", "random"):
        assert rows[control]["sparseness"] == pytest.approx(rows["binary_mask"]["sparseness"])
    assert os.path.isfile(tmp_path / "run" / "mask_net.keras")
    model = tf.saved_model.load(str(tmp_path / "saved" / "1"))
    card = json.loads(model.signatures["card"](field=tf.constant([""]))["card_json"][0].numpy())
    assert card["validation"]["rows"]["mask"]["rmse"] == rows["mask"]["rmse"]
    assert card["target_sparseness"] == 0.36
    # lambda as it was adapted, not as it began.
    assert card["lambda"] > 0 and card["lambda"] != 1


def test_evaluate_depth_net_alone(tmp_path):
    result = commands.run(evaluate, output_dir=str(tmp_path), input_size=(64, 96))
    assert [row["row"] for row in result.rows] == ["image"]
    assert result.rows[0]["rmse"] > 0
    assert {path.name for path in tmp_path.iterdir()} >= {"table.csv", "table.json", "report.html"}


def test_evaluate_without_output_dir():
    with pytest.raises(InputError, match="--output_dir"):
        commands.run(evaluate)
