"""Continued runs: what may change in the command that continues a run, and what binds."""

import json

import pytest

from tfdepthviz.utils.errors import InputError
from trainers.engine.options import same
from trainers.engine.workdir import open_workdir

OPTIONS = {
    "data_dir": "data/nyu",
    "epochs": 2,
    "strips": 4,
    "seed": 1,
    "learning_rate_decay": "cosine",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run with a checkpoint, started in tmp_path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/nyu").mkdir(parents=True)
    open_workdir("w", "train_mask", OPTIONS)
    (tmp_path / "w/checkpoints/epoch-00002-step-0000000").mkdir(parents=True)
    return tmp_path / "w"


def held(folder):
    return json.loads((folder / "config.json").read_text())["options"]


def test_more_epochs_and_other_strips(folder, capsys):
    open_workdir(folder, "train_mask", OPTIONS | {"epochs": 5, "strips": 1})
    assert (held(folder)["epochs"], held(folder)["strips"]) == (5, 1)
    assert "--epochs=5, 2 before: the learning rate now falls" in capsys.readouterr().err
    open_workdir(folder, "train_mask", OPTIONS | {"epochs": 6, "learning_rate_decay": "cosine"})


def test_more_epochs_need_a_checkpoint(folder):
    (folder / "mask_net.keras").touch()
    (folder / "checkpoints/epoch-00002-step-0000000").rmdir()
    with pytest.raises(InputError, match="--epochs=5 here, 2 there.*checkpoints are gone"):
        open_workdir(folder, "train_mask", OPTIONS | {"epochs": 5})
    assert held(folder) == OPTIONS


def test_a_path_in_another_spelling(folder, tmp_path, monkeypatch):
    for spelling in ("./data/nyu/", "data/../data/nyu", f"{tmp_path}/data/nyu"):
        open_workdir(folder, "train_mask", OPTIONS | {"data_dir": spelling})
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    open_workdir(folder, "train_mask", OPTIONS | {"data_dir": "../data/nyu"})
    assert held(folder).keys() == OPTIONS.keys() and held(folder)["seed"] == 1


def test_what_binds(folder, tmp_path):
    (tmp_path / "other").mkdir()
    for other in ({"seed": 2}, {"data_dir": "other"}, {"learning_rate_decay": "none"}):
        with pytest.raises(InputError, match="holds a run with other options"):
            open_workdir(folder, "train_mask", OPTIONS | other)


def test_same_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").touch()
    assert same("my_net.py:build", f"{tmp_path}/my_net.py:build")
    assert not same("my_net.py:build", f"{tmp_path}/my_net.py:other")
    assert same("runs/a/b.csv,c.csv", "/elsewhere/runs/a/b.csv,c.csv")
    assert not same("a.csv", "/elsewhere/a.csv") and not same(1, "1") and same(None, None)
