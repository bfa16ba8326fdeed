"""Which epochs are warned about, and what the warning says."""

import pytest

from tfdepthviz.training import callbacks


@pytest.mark.parametrize(
    ("share", "objective", "says"),
    [
        (0.0, "preserve", "lambda is too large"),
        (0.001, "delete", "lambda is too small"),
        (0.999, "preserve", "lambda is too small"),
        (1.0, "delete", "lambda is too large"),
    ],
)
def test_the_cause_depends_on_what_lambda_prices(share, objective, says):
    text = callbacks.describe(share, objective)
    assert says in text
    assert ("--target_sparseness" in text) == (objective == "preserve")


def test_one_warning_after_the_rise_of_lambda(capsys):
    callback = callbacks.CollapseWarning(warmup_epochs=1.5)
    for epoch, share in enumerate([1.0, 1.0, 0.5, 1.0, 1.0]):
        callback.on_epoch_end(epoch, {"mask/sparseness": share})
    written = capsys.readouterr().err
    assert written.count("warning") == 1 and written.startswith("warning: epoch 4: ")
    assert "100.00 % of the pixels" in written


def test_masks_between_the_two_are_not_warned_about(capsys):
    callback = callbacks.CollapseWarning()
    for epoch, share in enumerate([0.0011, 0.5, 0.9989]):
        callback.on_epoch_end(epoch, {"mask/sparseness": share})
    assert capsys.readouterr().err == ""


def test_masks_start_open_but_not_closed(capsys):
    callbacks.CollapseWarning().on_epoch_end(0, {"mask/sparseness": 1.0})
    assert capsys.readouterr().err == ""
    callbacks.CollapseWarning().on_epoch_end(0, {"mask/sparseness": 0.0})
    assert capsys.readouterr().err.startswith("warning: epoch 1: the masks kept almost nothing")
