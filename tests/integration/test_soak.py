"""The soak script with one signal: the file that it writes, and its exit code if runs differ."""

import json

import pytest
import soak

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_signal(monkeypatch):
    monkeypatch.setattr(soak, "MOST_SIGNALS", 1)
    monkeypatch.setattr(soak, "FRESH_SHARE", 0.0)  # loading TensorFlow would take the longest
    # Seed 10 aims at a phase; this leaves one to choose.
    monkeypatch.setattr(soak.run_phases, "PHASES", ("step",))


def test_killed_run_equals_an_undisturbed_one(tmp_path, capsys):
    assert soak.main(minutes=0, seed=10, output=tmp_path / "soak.json") == 0
    result = json.loads((tmp_path / "soak.json").read_text())
    assert result["runs_compared"] == {"train_depth": 1} and result["differences"] == []
    assert sum(sum(met.values()) for met in result["signals_by_phase"].values()) == 1
    assert "1 runs compared with undisturbed ones" in capsys.readouterr().out


def test_differences_end_the_soak_with_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(soak, "cycle", lambda folder, command, seed, disturber: ["history.csv"])
    assert soak.main(minutes=60, seed=7, output=tmp_path / "soak.json") == 1
    differences = json.loads((tmp_path / "soak.json").read_text())["differences"]
    assert [difference["seed"] for difference in differences] == [7, 8, 9, 10, 11]
    assert all(difference["wrong"] == ["history.csv"] for difference in differences)
    assert "5 differ" in capsys.readouterr().out
