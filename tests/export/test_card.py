"""The fields that an export adds to its card."""

import datetime
import json
import math

import export_by_hand as by_hand
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfdepthviz
from tfdepthviz.evaluation import Evaluation, controls, rate_shares
from tfdepthviz.export.card import fidelity_at_shares, validation_figures


def test_added_fields(warmed):
    card = json.loads((warmed / "assets.extra/card.json").read_text("utf-8"))
    assert card["input_size"] == [8, 12] and card["threshold"] == 0.025
    assert (card["depth_kind"], card["depth_unit"], card["fidelity_unit"]) == ("metric", "m", "m")
    versions = {"tfdepthviz": tfdepthviz, "tensorflow": tf, "keras": keras, "numpy": np}
    for name, package in versions.items():
        assert card["versions"][name] == package.__version__
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(
        card["exported"]
    )
    assert datetime.timedelta(seconds=-1) < age < datetime.timedelta(hours=1)
    # A removed pixel is 0 after normalisation, so it has this colour before.
    removed = np.array(card["baseline"]["rgb"])
    normalisation = card["normalisation"]
    assert np.all((removed - normalisation["mean"]) / normalisation["std"] == 0)


def test_missing_figures_are_null():
    rows = tuple(
        {"row": row, "rmse": math.nan, "fidelity_rmse": fidelity, "sparseness": 0.25}
        for row, fidelity in (("mask", 0.5), ("binary_mask", 0.75))
    )
    result = Evaluation(rows, (), 3, 0, 0.1, (0, 1), "inverse", 0.125)
    figures = validation_figures(result, data="folder:photos", images_in_set=30)
    assert figures == {
        "data": "folder:photos",
        "images": 3,
        "images_in_set": 30,
        "images_with_truth": 0,
        "threshold": 0.1,
        "rows": {
            "mask": {"rmse": None, "fidelity_rmse": 0.5, "sparseness": 0.25},
            "binary_mask": {"rmse": None, "fidelity_rmse": 0.75, "sparseness": 0.25},
        },
        "binarisation_gap": 0.25,
        "mask_entropy": 0.125,
    }
    assert all("row" in row for row in rows)


def test_fidelity_at_shares(tiny_nets):
    """Numbers of kept pixels and distances by NumPy, from scores that are known."""
    image = by_hand.normalised(by_hand.photographs(3, 8, 12), (8, 12))
    full = by_hand.run(tiny_nets[0], image)
    mean_map = full[:2].mean(axis=0)
    comparison = rate_shares(
        tiny_nets[0],
        {"mine": tiny_nets[1]},
        [{"image": image[:2]}, {"image": image[2:]}],
        (0.25, 0.5),
        controls=("random",),
        random_seeds=(0, 1),
        mean_map=mean_map,
    )
    rows = fidelity_at_shares(comparison)
    assert json.loads(json.dumps(rows)) == rows and [row["share"] for row in rows] == [0.25, 0.5]

    def rmse(scores, count):
        masks = np.zeros((3, 96), "float32")
        order = np.argsort(-scores.reshape(3, 96), axis=1, kind="stable")
        np.put_along_axis(masks, order[:, :count], 1, axis=1)
        y = by_hand.run(tiny_nets[0], image * masks.reshape(3, 8, 12, 1))
        return np.sqrt(np.mean(np.square(y - full, dtype="float64")))

    for row, count in zip(rows, (24, 48), strict=True):
        assert set(row) == {"share", "fidelity_rmse", "random", "mean_map"}
        mask = by_hand.run(tiny_nets[1], image)
        assert row["fidelity_rmse"] == pytest.approx(rmse(mask, count), rel=1e-4)
        drawn = [rmse(controls.random_pixels(image.shape, seed), count) for seed in (0, 1)]
        # The mean over draws is that of squared errors.
        assert row["random"] == pytest.approx(np.sqrt(np.mean(np.square(drawn))), rel=1e-4)
        expected = np.sqrt(np.mean(np.square(mean_map - full, dtype="float64")))
        assert row["mean_map"] == pytest.approx(expected, rel=1e-4)
