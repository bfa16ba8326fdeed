"""Training curves: lines are recognised by their colours."""

import numpy as np
import pytest

from tfdepthviz.reports import training_curves
from tfdepthviz.utils.errors import InputError


def test_later_line_of_a_continued_run_counts(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val_loss,val_rmse\n0,3,4,1\n1,2,3,NA\n1,2.5,3.5,0.5\n2,1,,0.4\n")
    epochs, history = training_curves._read_history(path)
    assert epochs == [0, 1, 2] and history["loss"] == [3, 2.5, 1]
    assert history["val_rmse"] == [1, 0.5, 0.4] and np.isnan(history["val_loss"][2])
    picture = training_curves.training_curves(path)
    assert picture.dtype == np.uint8 and picture.shape[1] == 2 * 340
    # Both lines have their own colours.
    for hexadecimal in training_curves.CURVE_COLOURS.values():
        rgb = [int(hexadecimal[k : k + 2], 16) for k in (1, 3, 5)]
        assert (picture == rgb).all(axis=-1).any()


def test_missing_or_empty_history(tmp_path):
    with pytest.raises(InputError, match="history.csv"):
        training_curves.training_curves(tmp_path / "history.csv")
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    with pytest.raises(InputError, match="no epoch"):
        training_curves.training_curves(tmp_path / "history.csv")


def test_values_without_any_number_are_left_out(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,rmse,val_loss,val_rmse\n0,1,nan,2,\n1,0.5,nan,1,\n")
    assert training_curves.training_curves(path).shape[1] == 340
