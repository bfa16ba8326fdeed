"""The soak script itself, with one signal: what it writes, and that it fails where runs differ."""

import json

import pytest
import soak


@pytest.fixture(autouse=True)
def one_signal(monkeypatch):
    monkeypatch.setattr(soak, "MOST_SIGNALS", 1)
    monkeypatch.setattr(soak, "FRESH_SHARE", 0.0)  # loading TensorFlow would take the longest
    # Seed 10 aims at a phase, and this is the only one to draw.
    monkeypatch.setattr(soak.run_phases, "PHASES", ("step",))


def test_a_killed_run_equals_an_undisturbed_one(tmp_path, capsys):
    assert soak.main(minutes=0, seed=10, output=tmp_path / "soak.json") == 0
    found = json.loads((tmp_path / "soak.json").read_text())
    assert found["runs_compared"] == {"train_depth": 1} and found["differences"] == []
    assert sum(sum(met.values()) for met in found["signals_by_phase"].values()) == 1
    assert "1 runs compared with undisturbed ones" in capsys.readouterr().out


def test_differences_end_the_soak_with_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(soak, "cycle", lambda folder, command, seed, disturber: ["history.csv"])
    assert soak.main(minutes=60, seed=7, output=tmp_path / "soak.json") == 1
    found = json.loads((tmp_path / "soak.json").read_text())["differences"]
    assert [difference["seed"] for difference in found] == [7, 8, 9, 10, 11]
    assert all(difference["wrong"] == ["history.csv"] for difference in found)
    assert "5 differ" in capsys.readouterr().out
