"""Expected values: colours of matplotlib's own tables, and panels looked up at known places."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tfdepthviz.reports import figures
from tfdepthviz.utils.errors import InputError


def colour(name, position):
    return (np.array(matplotlib.colormaps[name](position)[:3]) * 255 + 0.5).astype(int)


def assert_colour(got, expected):
    np.testing.assert_allclose(got.astype(int), expected, atol=1)


def test_depth_colours_run_from_vmin_to_vmax_and_missing_is_grey():
    depth = np.array([[1.0, 3.0, 5.0, 9.0], [0.0, np.nan, np.inf, 0.5]], "float32")
    picture = figures.colourise_depth(depth[..., None], vmin=1, vmax=5)
    assert picture.dtype == np.uint8 and picture.shape == (2, 4, 3)
    for column, position in enumerate([0.0, 0.5, 1.0, 1.0]):
        assert_colour(picture[0, column], colour("viridis_r", position))
    assert (picture[1, :3] == figures.MISSING_COLOUR).all()
    assert_colour(picture[1, 3], colour("viridis_r", 0.0))


def test_no_scale_colour_can_be_taken_for_missing():
    for name in (figures.DEPTH_COLOURS, figures.DIFFERENCE_COLOURS):
        table = matplotlib.colormaps[name](np.linspace(0, 1, 256), bytes=True)[:, :3].astype(int)
        assert np.abs(table - figures.MISSING_COLOUR).max(axis=1).min() > 10, name


def test_difference_is_white_at_zero_and_symmetric():
    picture = figures.colourise_difference(np.array([[-2.0, 0.0, 2.0, np.nan]]), limit=2)
    for column, position in enumerate([0.0, 0.5, 1.0]):
        assert_colour(picture[0, column], colour("RdBu", position))
    assert tuple(picture[0, 3]) == figures.MISSING_COLOUR
    assert picture[0, 0, 0] > picture[0, 0, 2] and picture[0, 2, 2] > picture[0, 2, 0]


@pytest.mark.parametrize("depth", [np.zeros((3, 4)), np.full((3, 4), 2.0), np.full((3, 4), np.nan)])
def test_maps_without_contrast_are_drawn(depth):
    low, high = figures.depth_range(depth)
    assert low < high
    assert figures.colourise_depth(depth).shape == (3, 4, 3)
    assert figures.colourise_difference(depth * 0).shape == (3, 4, 3)


def frame(height=30, width=44):
    rng = np.random.default_rng(0)
    mask = np.zeros((height, width, 1))
    mask[: height // 2] = 1
    depth = rng.uniform(1, 4, (height // 2, width // 2, 1))
    return rng.random((height, width, 3)), mask, depth


def test_strip_shows_six_panels_in_order_with_one_depth_scale():
    image, mask, depth = frame()
    image = image * 0 + [1, 0, 0]
    masked = depth * 0 + 4
    masked[0, 0] = 1
    picture = figures.strip(image, mask, depth * 0 + 1, masked)
    height, width, _ = picture.shape
    panel = (width - 2 * figures.EDGE - 5 * figures.GAP) // 6
    lower = figures.TITLE + round((height - figures.TITLE - figures.FOOT) * 0.75)
    upper = figures.TITLE + round((height - figures.TITLE - figures.FOOT) * 0.25)
    x = [figures.EDGE + k * (panel + figures.GAP) + panel // 2 for k in range(6)]
    assert_colour(picture[lower, x[0]], (255, 0, 0))
    for k in (1, 2):
        assert_colour(picture[upper, x[k]], (255, 255, 255))
        assert_colour(picture[lower, x[k]], (0, 0, 0))
    assert_colour(picture[lower, x[3]], colour("viridis_r", 0.0))
    assert_colour(picture[lower, x[4]], colour("viridis_r", 1.0))
    assert_colour(picture[lower, x[5]], colour("RdBu", 1.0))


def test_strip_takes_bytes_and_folds_into_columns():
    image, mask, depth = frame()
    row = figures.strip((image * 255).astype("uint8"), mask, depth, depth + 0.1)
    folded = figures.strip(image, mask, depth, depth + 0.1, columns=3)
    assert row.dtype == folded.dtype == np.uint8
    assert row.shape[1] > 1.9 * folded.shape[1] and folded.shape[0] > 1.9 * row.shape[0]


def test_pictures_of_another_shape_are_refused():
    image, mask, depth = frame()
    with pytest.raises(InputError, match="image must be"):
        figures.strip(image[..., 0], mask, depth, depth)
    with pytest.raises(InputError, match="one size"):
        figures.strip(image, mask, depth, depth[1:])
    with pytest.raises(InputError, match="mask must be"):
        figures.strip(image, image, depth, depth)


def test_history_of_a_continued_run_counts_the_later_line(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val_loss,val_rmse\n0,3,4,1\n1,2,3,NA\n1,2.5,3.5,0.5\n2,1,,0.4\n")
    epochs, history = figures._read_history(path)
    assert epochs == [0, 1, 2] and history["loss"] == [3, 2.5, 1]
    assert history["val_rmse"] == [1, 0.5, 0.4] and np.isnan(history["val_loss"][2])
    picture = figures.training_curves(path)
    assert picture.dtype == np.uint8 and picture.shape[1] == 2 * 340
    # Both lines are there, in their own colours.
    for hexadecimal in figures.CURVE_COLOURS.values():
        rgb = [int(hexadecimal[k : k + 2], 16) for k in (1, 3, 5)]
        assert (picture == rgb).all(axis=-1).any()


def test_a_missing_or_empty_history_is_named(tmp_path):
    with pytest.raises(InputError, match="history.csv"):
        figures.training_curves(tmp_path / "history.csv")
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    with pytest.raises(InputError, match="no epoch"):
        figures.training_curves(tmp_path / "history.csv")


def test_png_holds_the_very_pixels(tmp_path):
    picture = np.random.default_rng(3).integers(0, 256, (5, 9, 3), "uint8")
    figures.save_png(tmp_path / "a.png", picture)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(figures.png(picture)))), picture)
