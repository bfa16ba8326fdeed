"""Commands with --teacher_cache give the same bits, and each finds what the other has kept."""

import json

import pytest
import run_contents
import tiny_nets
from nyu_files import write_nyu

from tfdepthviz import models
from tfdepthviz.utils.errors import InputError
from trainers import evaluate, train_mask
from trainers.cli import data as datasets
from trainers.cli.target import Target


@pytest.fixture
def common(monkeypatch, tmp_path):
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net(dropout=0.3))
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())
    return {
        "data": datasets.Data("nyu", str(write_nyu(tmp_path / "nyu"))),
        "target": Target("tiny", depth_weights="random"),
        "mask_net": "tiny",
        "input_size": tiny_nets.SIZE,
        "batch_size": 2,
        "strips": 1,
    }


def test_training_and_rating(common, tmp_path):
    given = {**common, "epochs": 2, "learning_rate": 0.01}
    cache = tmp_path / "cache"
    for name, folder in (("without", None), ("first", cache), ("again", cache)):
        train_mask.run(**given, workdir=str(tmp_path / name), teacher_cache=folder and str(folder))
        kept = {path: path.stat().st_mtime_ns for path in cache.glob("*/*.npz")}
        assert len(kept) == (2 if folder else 0)  # batches of 2 and of 1 frame
        assert run_contents.differences(tmp_path / "without", tmp_path / name) == []
    tables = []
    for name, folder in (("plain", None), ("taught", str(cache))):
        evaluate.run(
            **common,
            mask_weights=str(tmp_path / "again/mask_net.keras"),
            output_dir=str(tmp_path / name),
            teacher_cache=folder,
        )
        tables.append(json.loads((tmp_path / name / "table.json").read_text()))
    assert tables[0] == tables[1]
    # Rating found what training had kept, and had nothing to add.
    assert kept == {path: path.stat().st_mtime_ns for path in cache.glob("*/*.npz")}


def test_replicas_take_none(common, tmp_path):
    more = {"strategy": "mirrored", "teacher_cache": str(tmp_path / "cache")}
    with pytest.raises(InputError, match="--teacher_cache=.*: needs --strategy=single"):
        train_mask.run(**common, **more, workdir=str(tmp_path / "w"))
