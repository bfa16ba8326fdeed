"""Commands with --teacher_cache: the same bits, from answers that one command keeps for another."""

import json

import commands
import pytest
import run_contents

from tfdepthviz.utils.errors import InputError
from trainers import evaluate, train_mask

pytestmark = pytest.mark.slow


@pytest.fixture
def rating(finished_run):
    """Options of evaluate that agree with those of the finished run."""
    options, _ = finished_run
    of_training = ("epochs", "learning_rate", "mask_weights")
    return {k: v for k, v in options.items() if k not in of_training}


def test_training_and_rating(tiny_networks, finished_run, rating, tmp_path):
    options, without_cache = finished_run
    cache = tmp_path / "cache"
    for name in ("first", "again"):
        commands.run(train_mask, **options, workdir=str(tmp_path / name), teacher_cache=str(cache))
        kept = {path: path.stat().st_mtime_ns for path in cache.glob("*/*.npz")}
        assert len(kept) == 2  # batches of 2 and of 1 frame
        assert run_contents.differences(without_cache, tmp_path / name) == []
    tables = []
    for name, folder in (("plain", None), ("cached", str(cache))):
        commands.run(
            evaluate,
            **rating,
            mask_weights=str(tmp_path / "again/mask_net.keras"),
            output_dir=str(tmp_path / name),
            teacher_cache=folder,
        )
        tables.append(json.loads((tmp_path / name / "table.json").read_text()))
    assert tables[0] == tables[1]
    # evaluate read what training had kept, and added nothing.
    assert kept == {path: path.stat().st_mtime_ns for path in cache.glob("*/*.npz")}


def test_replicas_take_none(tiny_networks, finished_run, tmp_path):
    options, _ = finished_run
    more = {"strategy": "mirrored", "teacher_cache": str(tmp_path / "cache")}
    with pytest.raises(InputError, match="--teacher_cache=.*: needs --strategy=single"):
        commands.run(train_mask, **options, **more, workdir=str(tmp_path / "w"))
