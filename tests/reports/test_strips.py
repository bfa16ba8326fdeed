"""Strips: panels are looked up at known places, colours in matplotlib's own tables."""

import numpy as np
import pytest
import tiny_nets
from colour_tables import assert_colour, colour

from tfdepthviz.models.target import DepthTarget
from tfdepthviz.reports import colours, panels, strips
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError


def frame(height=30, width=44):
    rng = np.random.default_rng(0)
    mask = np.zeros((height, width, 1))
    mask[: height // 2] = 1
    depth = rng.uniform(1, 4, (height // 2, width // 2, 1))
    return rng.random((height, width, 3)), mask, depth


# Panels of a frame of 30x44 pixels, by hand: width sqrt(320 * 240 * 44 / 30), height its 30 / 44.
PANEL = (229, 336)


def panel(picture, number, columns):
    """The inside of one panel, without its frame."""
    (height, width), (row, column) = PANEL, divmod(number, columns)
    top = panels.TITLE + row * (panels.TITLE + height + panels.FOOT + panels.GAP)
    left = panels.EDGE + column * (width + panels.GAP)
    return picture[top + 2 : top + height - 2, left + 2 : left + width - 2]


@pytest.mark.parametrize("columns, size", [(6, (301, 2110)), (3, (616, 1060)), (2, (931, 710))])
def test_size(columns, size):
    image, mask, depth = frame()
    picture = strips.draw_strip(image, mask, depth, depth, columns=columns)
    assert picture.shape == (*size, 3) and picture.dtype == np.uint8


def test_threshold_panel_is_binary():
    image, _, depth = frame()
    mask = np.random.default_rng(1).random((30, 44, 1))
    mask[:15, :22] = 0.5  # the threshold itself is removed
    mask[15:, 22:] = 0.501
    picture = panel(strips.draw_strip(image, mask, depth, depth, 0.5, columns=3), 2, 3)
    assert set(np.unique(picture)) == {0, 255}
    assert (picture[:110, :160] == 0).all() and (picture[120:, 175:] == 255).all()
    assert picture.mean() / 255 == pytest.approx((mask > 0.5).mean(), abs=0.02)


def test_missing_depth():
    image, mask, depth = frame()
    depth[:5], depth[5:8, :7] = 0, np.nan  # the upper third, and one more block
    full = strips.draw_strip(image, mask, depth, np.full_like(depth, 2.0), columns=3)
    from_image, from_masked, difference = (panel(full, k, 3) for k in (3, 4, 5))
    for picture in (from_image, difference):
        for missing in (picture[:70], picture[80:115, :100]):
            assert (missing == colours.MISSING_COLOUR).all()
        assert (picture[130:] != colours.MISSING_COLOUR).any(axis=-1).all()
    assert (from_masked != colours.MISSING_COLOUR).any(axis=-1).all()


@pytest.mark.parametrize("depth_kind", ["metric", "inverse"])
def test_maps_of_a_frame(depth_kind):
    net, image = tiny_nets.depth_net(), tiny_nets.frames(3)["image"]
    mask = np.random.default_rng(1).random((3, *tiny_nets.SIZE, 1)).astype("float32")
    target = DepthTarget(net, depth_kind)
    rgb, same, depth, masked_depth = strips.frame_maps(target, image, mask)
    np.testing.assert_allclose(rgb, np.clip(image * IMAGENET_STD + IMAGENET_MEAN, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(same, mask)
    y_full, y_masked = net.predict_on_batch(image), net.predict_on_batch(image * mask)
    for got, expected in zip((depth, masked_depth), target.drawable(y_full, y_masked), strict=True):
        assert isinstance(got, np.ndarray)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    # Inverse depth is drawn as depth: the largest value is nearest.
    nearest = y_full[0].argmax() if depth_kind == "inverse" else y_full[0].argmin()
    assert depth[0].argmin() == nearest
    known = strips.frame_maps(target, image, mask, y_full=y_full)
    np.testing.assert_array_equal(known[2], depth)


def test_strips_of_a_batch():
    net, mask_net = tiny_nets.depth_net(), tiny_nets.mask_net()
    image = tiny_nets.frames(2)["image"]
    target = DepthTarget(net, "relative")
    maps = strips.frame_maps(target, image, mask_net.predict_on_batch(image))
    pictures = strips.draw_strips(target, mask_net, image, threshold=0.4)
    for picture, one in zip(pictures, zip(*maps, strict=True), strict=True):
        expected = strips.draw_strip(*one, threshold=0.4, columns=3, unit="σ")
        np.testing.assert_array_equal(picture, expected)


def test_pair_of_one_frame():
    depth, masked_depth = np.random.default_rng(0).uniform(1, 4, (2, 5, 7)).astype("float32")
    same = strips.drawable_pair("metric", depth, masked_depth)
    np.testing.assert_array_equal(same, (depth, masked_depth))
    far, _ = strips.drawable_pair("inverse", depth, masked_depth)
    assert far.shape == (5, 7) and far.argmax() == depth.argmin()


def test_six_panels_and_one_depth_scale():
    image, mask, depth = frame()
    image = image * 0 + [1, 0, 0]
    masked = depth * 0 + 4
    masked[0, 0] = 1
    picture = strips.draw_strip(image, mask, depth * 0 + 1, masked)
    height, width, _ = picture.shape
    width_of_panel = (width - 2 * panels.EDGE - 5 * panels.GAP) // 6
    lower = panels.TITLE + round((height - panels.TITLE - panels.FOOT) * 0.75)
    upper = panels.TITLE + round((height - panels.TITLE - panels.FOOT) * 0.25)
    x = [panels.EDGE + k * (width_of_panel + panels.GAP) + width_of_panel // 2 for k in range(6)]
    assert_colour(picture[lower, x[0]], (255, 0, 0))
    for k in (1, 2):
        assert_colour(picture[upper, x[k]], (255, 255, 255))
        assert_colour(picture[lower, x[k]], (0, 0, 0))
    assert_colour(picture[lower, x[3]], colour("viridis_r", 0.0))
    assert_colour(picture[lower, x[4]], colour("viridis_r", 1.0))
    assert_colour(picture[lower, x[5]], colour("RdBu", 1.0))


def test_bytes_and_columns():
    image, mask, depth = frame()
    row = strips.draw_strip((image * 255).astype("uint8"), mask, depth, depth + 0.1)
    folded = strips.draw_strip(image, mask, depth, depth + 0.1, columns=3)
    assert row.dtype == folded.dtype == np.uint8
    assert row.shape[1] > 1.9 * folded.shape[1] and folded.shape[0] > 1.9 * row.shape[0]


def test_scales_that_no_step_changes():
    image, mask, depth = frame()
    blank = np.full_like(depth, 2)
    steps = [strips.frame_panels(image, mask, depth, depth + far, blank) for far in (0.1, 5)]
    for first, last in zip(*(step.items() for step in steps), strict=True):
        (name, (_, _, foot)), (same, (_, _, later)) = first, last
        assert (name, foot) == (same, later)
    assert steps[0]["binary_depth"][2][1:3] == colours.depth_range(depth[..., 0], blank[..., 0])
    limit = np.percentile(np.abs(blank - depth), 99)
    np.testing.assert_allclose(steps[0]["difference"][2][1:3], (-limit, limit))


def test_panels_cut_from_their_grid():
    image, mask, depth = frame()
    of_frame = strips.frame_panels(image, mask, depth, depth + 0.1, depth + 1)
    grid = panels.draw_panels(of_frame.values(), image.shape[:2], 3)
    cut = panels.cut_panels(grid, 6, image.shape[:2], 3)
    assert len({picture.shape for picture in cut}) == 1
    for picture, one in zip(cut, of_frame.values(), strict=True):
        alone = panels.draw_panels([one], image.shape[:2], 1)
        assert picture.shape == alone.shape
        # Texts of a figure of another size may move by a part of a pixel.
        assert np.abs(picture.astype(int) - alone).mean() < 2


def test_wrong_shapes():
    image, mask, depth = frame()
    with pytest.raises(InputError, match="image must be"):
        strips.draw_strip(image[..., 0], mask, depth, depth)
    with pytest.raises(InputError, match="one size"):
        strips.draw_strip(image, mask, depth, depth[1:])
    with pytest.raises(InputError, match="mask must be"):
        strips.draw_strip(image, image, depth, depth)
