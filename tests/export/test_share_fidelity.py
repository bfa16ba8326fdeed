"""Fidelity at shares; expected values by NumPy's sort on networks run eagerly."""

import export_by_hand as by_hand
import numpy as np
import pytest

from tfdepthviz.evaluation import controls
from tfdepthviz.export.share_fidelity import fidelity_at_shares
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.utils.errors import InputError

SIZE = (8, 12)
METHODS = {"fidelity_rmse", "sobel", "blurred_edges", "random"}


@pytest.fixture
def image():
    return by_hand.normalised(by_hand.photographs(3, *SIZE), SIZE)


def top_pixels(scores, count):
    masks = np.zeros((len(scores), SIZE[0] * SIZE[1]), "float32")
    order = np.argsort(-np.reshape(scores, masks.shape), axis=1, kind="stable")
    np.put_along_axis(masks, order[:, :count], 1, axis=1)
    return masks.reshape(len(scores), *SIZE, 1)


def test_every_method_by_hand(tiny_nets, image):
    # Two batches of unequal size weigh as their images do.
    batches = [{"image": image[:2]}, {"image": image[2:]}]
    rows = fidelity_at_shares(*tiny_nets, batches, shares=(0.25, 0.5))
    full = by_hand.run(tiny_nets[0], image)
    scores = {
        "fidelity_rmse": by_hand.run(tiny_nets[1], image),
        "sobel": np.array(controls.sobel_edges(image)),
        "blurred_edges": np.array(controls.blurred_edges(image)),
        "random": controls.random_pixels(image.shape, seed=0),
    }
    assert [row["share"] for row in rows] == [0.25, 0.5]
    for row, count in zip(rows, (24, 48), strict=True):
        assert set(row) == METHODS | {"share", "mean_map"}
        for name, of_method in scores.items():
            y = by_hand.run(tiny_nets[0], image * top_pixels(of_method, count))
            expected = np.sqrt(np.mean(np.square(y - full, dtype="float64")))
            assert row[name] == pytest.approx(expected, rel=1e-4) and expected > 0.01, name
        deviation = full - full.mean(axis=0)
        assert row["mean_map"] == pytest.approx(np.sqrt(np.mean(deviation**2)), rel=1e-4)


@pytest.mark.parametrize("kind", ["metric", "inverse"])
def test_all_pixels_change_nothing(tiny_nets, image, kind):
    target = DepthTarget(tiny_nets[0], kind)
    (row,) = fidelity_at_shares(target, tiny_nets[1], [{"image": image}], shares=(1.0,))
    assert [row[name] for name in METHODS] == pytest.approx([0] * 4, abs=1e-3)
    assert row["mean_map"] > 0.01


def test_no_image_is_an_error(tiny_nets):
    with pytest.raises(InputError, match="no image"):
        fidelity_at_shares(*tiny_nets, [])
