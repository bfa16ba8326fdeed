"""Rounding loss; expected values by NumPy on networks run eagerly."""

import export_by_hand as by_hand
import numpy as np
import pytest

from tfdepthviz.export.networks import store
from tfdepthviz.export.rounding import rounding_loss
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.utils.errors import InputError

SIZE = (8, 12)


def root_mean_square(difference):
    return np.sqrt(np.mean(np.square(difference.astype("float64"))))


def test_bfloat16_by_hand(tiny_nets):
    rounded = [store(net, SIZE, "bfloat16") for net in tiny_nets]
    image = by_hand.normalised(by_hand.photographs(3, *SIZE), SIZE)
    mask, mask_hat = (by_hand.run(g, image) for g in (tiny_nets[1], rounded[1]))
    threshold = float(np.median(mask))
    # Two batches of unequal size weigh as their images do.
    batches = [{"image": image[:2]}, {"image": image[2:]}]
    got = rounding_loss(*tiny_nets, rounded, batches, threshold=threshold)
    n, n_hat = ((lambda x, net=net: by_hand.run(net, x)) for net in (tiny_nets[0], rounded[0]))
    binary, binary_hat = ((m > threshold).astype("float32") for m in (mask, mask_hat))
    assert got["images"] == 3
    assert got["depth_rmse"] == pytest.approx(root_mean_square(n(image) - n_hat(image)), rel=1e-3)
    assert got["mask_rmse"] == pytest.approx(root_mean_square(mask - mask_hat), rel=1e-3)
    assert got["binary_mask_changed"] == pytest.approx(np.mean(binary != binary_hat), abs=1e-6)
    assert min(got["depth_rmse"], got["mask_rmse"]) > 1e-4
    for name, pair in (("mask", (mask, mask_hat)), ("binary_mask", (binary, binary_hat))):
        expected = [
            root_mean_square(net(image * m) - net(image))
            for net, m in zip((n, n_hat), pair, strict=True)
        ]
        np.testing.assert_allclose(got["fidelity_rmse"][name], expected, rtol=1e-4)


def test_a_network_against_itself(tiny_nets):
    image = by_hand.normalised(by_hand.photographs(2, *SIZE), SIZE)
    got = rounding_loss(
        DepthTarget(tiny_nets[0], "inverse"),
        tiny_nets[1],
        [store(net, SIZE) for net in tiny_nets],
        [{"image": image}],
    )
    assert got["depth_rmse"] < 1e-6 and got["binary_mask_changed"] == 0


def test_no_image_is_an_error(tiny_nets):
    with pytest.raises(InputError, match="no image"):
        rounding_loss(*tiny_nets, tiny_nets, [])
