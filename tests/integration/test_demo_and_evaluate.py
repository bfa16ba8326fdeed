"""The demo on a few small frames, and the evaluation of N alone."""

import csv
import html.parser
import json

import commands
import pytest
import tensorflow as tf

from tfdepthviz.evaluation.measurement import Measurement
from tfdepthviz.reports import ranking_report
from tfdepthviz.utils.errors import InputError
from trainers import demo, evaluate
from trainers.cli import target

SIZE = (64, 96)


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


def test_demo(few_samples, tmp_path, capsys, monkeypatch):
    for module in (demo, target):
        monkeypatch.setattr(module, "INPUT_SIZE", SIZE)  # a quarter of the demo's
    folder = tmp_path / "run"
    flags = {"workdir": str(folder), "output_dir": str(tmp_path / "saved"), "epochs": 1}
    report = commands.run(demo, **flags)
    said = capsys.readouterr().out
    assert f"look at: {report}" in said and report == folder / "report.html"
    assert said.count("\n  # ") == 3  # the commands that come next

    page = Page(report.read_text())
    # The opening frame, two curves, three more frames, the SavedModel's strip, the training.
    assert page.pictures == 8 and page.outside == []
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["images"] == 4 and summary["shares"] == list(demo.SHARES)
    controls = summary["against"]["ranking"]
    asked = {"mean_map", "blurred_edges", "blurred_edges_9", "random", "random_blocks"}
    assert asked | {"sobel", "untrained", "swapped"} <= set(controls)
    for share in demo.CLAIMED:
        text = ranking_report.verdict(summary | {"curves": curves(folder)}, "ranking", share)
        assert text in " ".join(said.split())  # printed in lines of the terminal's width
        assert "ahead" not in text and "4 images are too few for certainty" in text
    table = json.loads((folder / "table.json").read_text())
    rows = {row["row"]: row for row in table["rows"]}
    assert rows["image"]["fidelity_rmse"] == 0 and table["images"] == 4
    model = tf.saved_model.load(str(tmp_path / "saved" / "1"))
    card = json.loads(model.signatures["card"](field=tf.constant([""]))["card_json"][0].numpy())
    assert card["validation"]["rows"]["mask"]["rmse"] == rows["mask"]["rmse"]
    assert card["keep"] == "0.02:0.9" and card["training"]["recipe"] == "ranking"
    # A second time nothing is trained or rated before the export, where Ctrl-C arrives.
    monkeypatch.setattr(Measurement, "__call__", None)
    monkeypatch.setattr(demo, "_export_and_try", stopped)
    trained = (folder / "history.csv").read_text()
    with pytest.raises(KeyboardInterrupt):
        commands.run(demo, **flags)
    assert (folder / "history.csv").read_text() == trained


def stopped(*arguments):
    raise KeyboardInterrupt


def curves(folder):
    """Points of the curves, as `summary.figure_at` reads them, from curves.csv."""
    with open(folder / "curves.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    return [
        {
            **{name: row[name] for name in ("method", "view")},
            "share": float(row["share"]),
            "fidelity_rmse": {"value": float(row["fidelity_rmse"])},
        }
        for row in rows
    ]


def test_evaluate_depth_net_alone(tmp_path):
    result = commands.run(evaluate, output_dir=str(tmp_path), input_size=(64, 96))
    assert [row["row"] for row in result.rows] == ["image"]
    assert result.rows[0]["rmse"] > 0
    assert {path.name for path in tmp_path.iterdir()} >= {"table.csv", "table.json", "report.html"}


def test_evaluate_without_output_dir():
    with pytest.raises(InputError, match="--output_dir"):
        commands.run(evaluate)
