"""The fields that an export adds to its card."""

import datetime
import json
import math

import keras
import numpy as np
import tensorflow as tf

import tfdepthviz
from tfdepthviz.evaluation import Evaluation
from tfdepthviz.export.card import validation_figures


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
