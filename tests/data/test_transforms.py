"""Resizing, views and colours of one example; each eagerly and inside tf.data.

Expected values come from Pillow, from NumPy, or by hand.
"""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfdepthviz.data import transforms

SEED = tf.constant([7, 8])


def raw_example(height=48, width=64, depth_size=None, seed=0):
    """Smooth image, and a depth map of distinct values."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    image = np.asarray(coarse.resize((width, height), Image.BICUBIC))
    depth = rng.permutation(np.prod(depth_size or (height, width))).astype("float32")
    return {"image": image, "depth": depth.reshape(*(depth_size or (height, width)), 1) / 100 + 1}


def both_ways(function, example):
    """The result of a function of one example, after checking that tf.data gives the same."""
    eager = function({name: tf.constant(array) for name, array in example.items()})
    data = tf.data.Dataset.from_tensors(example).map(function)
    (mapped,) = data.as_numpy_iterator()
    assert set(eager) == set(mapped) == {"image", "depth"}
    for name in eager:
        assert data.element_spec[name].shape == eager[name].shape, name
        # Compiled arithmetic may round otherwise than single operations do.
        np.testing.assert_allclose(mapped[name], eager[name], rtol=1e-5, atol=1e-5)
    return {name: tensor.numpy() for name, tensor in eager.items()}


def by_pillow(array, size, resampling):
    channels = [Image.fromarray(channel).resize(size[::-1], resampling) for channel in array]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def test_preprocessing_of_the_reference_by_pillow():
    raw = raw_example(480, 640)
    assert transforms.margin_size((228, 304)) == (240, 320)

    def prepare(example):
        return transforms.crop(transforms.cover(example, (240, 320)), (228, 304), (114, 152))

    got = both_ways(prepare, raw)
    assert got["image"].dtype == np.uint8 and got["depth"].dtype == np.float32
    image = by_pillow(raw["image"].transpose(2, 0, 1), (240, 320), Image.BILINEAR)
    difference = got["image"].astype(int) - image[6:-6, 8:-8].astype(int)
    # Pillow rounds twice, after rows and after columns.
    assert np.abs(difference).max() <= 1
    depth = by_pillow(raw["depth"].transpose(2, 0, 1), (240, 320), Image.NEAREST)
    depth = by_pillow(depth[6:-6, 8:-8].transpose(2, 0, 1), (114, 152), Image.NEAREST)
    np.testing.assert_array_equal(got["depth"], depth)


@pytest.mark.parametrize("size", [(240, 320), (352, 1216), (60, 50), (30, 31)])
def test_cover_keeps_aspect_and_centre(size):
    # The image holds its own coordinates, as shares of the frame.
    y, x = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]), indexing="ij")
    image = np.round(np.stack([y, x, y], -1)).astype(np.uint8)
    got = both_ways(
        lambda example: transforms.cover(example, (30, 40)),
        {"image": image, "depth": np.full((*size, 1), 2.0, "float32")},
    )
    assert got["image"].shape == (30, 40, 3) and got["depth"].shape == (30, 40, 1)
    assert (got["depth"] == 2).all()
    scale = max(30 / size[0], 40 / size[1])
    for axis, length in ((0, 30), (1, 40)):
        shown = length / (scale * size[axis])
        line = got["image"][15, :, 1] if axis else got["image"][:, 20, 0]
        # From the middle of the first to the middle of the last pixel.
        expected = 255 * shown * (length - 1) / length
        assert abs(int(line[-1]) - int(line[0]) - expected) < 0.06 * 255
        assert abs((int(line[-1]) + int(line[0])) / 2 - 127.5) < 6


def test_depth_of_another_resolution_shows_the_same_view():
    raw = raw_example(48, 64, depth_size=(24, 32))
    got = both_ways(lambda example: transforms.cover(example, (48, 64)), raw)
    np.testing.assert_array_equal(got["image"], raw["image"])
    np.testing.assert_array_equal(got["depth"], raw["depth"].repeat(2, axis=0).repeat(2, axis=1))


def test_no_depth_is_invented():
    raw = raw_example(100, 130)
    raw["depth"][20:60, 30:70] = 0

    def prepare(example):
        example = transforms.cover(example, (48, 64))
        example = {"image": tf.cast(example["image"], tf.float32), "depth": example["depth"]}
        example = transforms.random_view(example, SEED)
        return transforms.crop(example, (45, 60), (22, 30))

    got = both_ways(prepare, raw)
    assert np.isin(got["depth"], raw["depth"]).all()
    assert 0.05 < (got["depth"] == 0).mean() < 0.5


def view(example, seed=SEED, **options):
    example = {"image": example["image"].astype("float32"), "depth": example["depth"]}
    return both_ways(lambda e: transforms.random_view(e, seed, **options), example)


def test_view_without_rotation_or_zoom_is_at_most_mirrored():
    raw, mirrored = raw_example(), 0
    for number in range(8):
        got = view(raw, tf.constant([0, number]), max_degrees=0.0)
        is_mirrored = got["depth"][0, 0] != raw["depth"][0, 0]
        mirrored += is_mirrored
        for name in ("image", "depth"):
            expected = raw[name][:, ::-1] if is_mirrored else raw[name]
            np.testing.assert_allclose(got[name], expected, atol=1e-3)
    assert 0 < mirrored < 8


def ramps(size=(61, 81)):
    """A frame whose image is (y, x, 1), from the middle, and whose depth is 4 m."""
    y, x = np.mgrid[: size[0], : size[1]].astype("float32")
    image = np.stack([y - (size[0] - 1) / 2, x - (size[1] - 1) / 2, np.ones(size)], -1)
    return {"image": image.astype("float32"), "depth": np.full((*size, 1), 4.0, "float32")}


def fitted(image):
    """(2, 3) affine map, from output (y, x, 1) to the input's (y, x), of a view of `ramps`."""
    inside = ramps(image.shape[:2])["image"][15:-15, 20:-20].reshape(-1, 3)
    solution, residuals, *_ = np.linalg.lstsq(
        inside.astype("float64"), image[15:-15, 20:-20, :2].reshape(-1, 2), rcond=None
    )
    assert residuals.max() < 1e-3
    return solution.T


def test_rotations_fill_the_range_of_five_degrees():
    degrees = []
    for number in range(40):
        got = transforms.random_view(ramps(), tf.constant([1, number]))
        (a, b, shift_y), (c, d, shift_x) = fitted(got["image"].numpy())
        np.testing.assert_allclose(
            [a * a + c * c, b * b + d * d, a * b + c * d], [1, 1, 0], atol=1e-4
        )
        np.testing.assert_allclose([shift_y, shift_x], 0, atol=1e-3)
        degrees.append(np.degrees(np.arctan2(c, a)))
        assert set(np.unique(got["depth"])) <= {0, 4}
    assert np.abs(degrees).max() <= 5.001 and min(degrees) < -3.5 and max(degrees) > 3.5


def test_zoom_divides_depth_and_stays_inside():
    zooms = []
    for number in range(20):
        got = transforms.random_view(
            ramps(), tf.constant([2, number]), max_degrees=0.0, max_zoom=1.5
        )
        (a, b, shift_y), (c, d, shift_x) = fitted(got["image"].numpy())
        zoom = 1 / a
        zooms.append(zoom)
        np.testing.assert_allclose([b, c], 0, atol=1e-4)
        np.testing.assert_allclose(abs(d), a, atol=1e-4)
        np.testing.assert_allclose(got["depth"], 4 / zoom, rtol=1e-3)
        # The window's border is at most half a pixel outside of the outermost pixels' middles.
        for shift, length in ((shift_y, 61), (shift_x, 81)):
            assert abs(shift) <= (length - length / zoom) / 2 + 1e-2
    assert 1 <= min(zooms) < 1.15 and 1.35 < max(zooms) <= 1.5


def test_image_and_depth_move_alike():
    raw = ramps()
    raw["depth"] = raw["image"][..., :1] + 100
    got = view(raw, max_degrees=5.0, max_zoom=1.3)
    (a, b, _), (c, d, _) = fitted(got["image"])
    zoom = 1 / np.hypot(a, c)
    inside = got["depth"][15:-15, 20:-20, 0] * zoom - 100
    # Nearest takes the middle of a pixel, half a pixel away at most in each direction.
    assert np.abs(inside - got["image"][15:-15, 20:-20, 0]).max() <= 0.51


def test_the_same_seed_gives_the_same_view_and_colours():
    raw = ramps()
    results = []
    for seed in ((3, 4), (3, 4), (3, 5), (4, 4)):
        seed = tf.constant(seed)
        view = transforms.random_view(raw, seed)["image"].numpy()
        colours = transforms.random_colours(tf.abs(raw["image"]) / 100, seed).numpy()
        results.append((view, colours))
    for index in (0, 1):
        np.testing.assert_array_equal(results[0][index], results[1][index])
        assert all((results[0][index] != results[k][index]).any() for k in (2, 3))


def test_colours_by_numpy():
    image = np.random.default_rng(0).uniform(0, 1, (6, 8, 3))
    factors = []
    for number in range(30):
        seed = tf.constant([5, number])
        lit = transforms.random_colours(tf.constant(image, tf.float32), seed, strength=0.0).numpy()
        # Without jitter what remains is lighting: one colour, made of the principal components.
        np.testing.assert_allclose(
            lit - image, (lit - image)[:1, :1] + np.zeros(image.shape), atol=1e-6
        )
        weights = np.linalg.solve(transforms.PCA_VECTORS, (lit - image)[0, 0])
        assert np.abs(weights / transforms.PCA_VALUES).max() < 0.5
        # Saturation keeps grey, so the jitters give b(c(s x + (1-s) grey) + (1-c)m) in any order.
        grey = (lit @ transforms.LUMA_WEIGHTS)[..., None] + np.zeros(image.shape)
        columns = np.stack([lit.ravel(), grey.ravel(), np.ones(lit.size)], axis=1)
        jittered = transforms.random_colours(tf.constant(image, tf.float32), seed).numpy()
        fit, residual, *_ = np.linalg.lstsq(columns, jittered.ravel(), rcond=None)
        assert residual.max() < 1e-8
        brightness = fit[0] + fit[1] + fit[2] / grey.mean()
        contrast, saturation = (fit[0] + fit[1]) / brightness, fit[0] / (fit[0] + fit[1])
        factors.append([brightness, contrast, saturation])
    factors = np.array(factors)
    assert factors.min() >= 0.6 - 1e-4 and factors.max() <= 1.4 + 1e-4
    assert (factors.min(axis=0) < 0.75).all() and (factors.max(axis=0) > 1.25).all()


def test_colours_are_the_same_inside_a_data_set():
    image = np.random.default_rng(0).uniform(0, 1, (6, 8, 3)).astype("float32")
    for number in range(6):
        both_ways(
            lambda example, number=number: {
                "image": transforms.random_colours(example["image"], tf.constant([6, number])),
                "depth": example["depth"],
            },
            {"image": image, "depth": np.ones((6, 8, 1), "float32")},
        )


def test_normalisation_by_hand_and_back():
    image = np.random.default_rng(0).uniform(0, 1, (4, 5, 3)).astype("float32")
    image[0, 0], image[0, 1] = (0.485, 0.456, 0.406), (0.485 + 0.229, 0.456 + 0.224, 0.406 + 0.225)
    normalised = transforms.normalise(image).numpy()
    np.testing.assert_allclose(normalised[0, :2], [[0, 0, 0], [1, 1, 1]], atol=1e-6)
    np.testing.assert_allclose(transforms.denormalise(normalised), image, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_a_very_long_image_is_cropped_before_it_is_resized(turned):
    """The middle of a 2x20000 image, by Pillow from the middle alone; whole it would take 7 GB."""
    ramp = np.repeat(np.arange(20000) / 20000 * 255, 2).reshape(-1, 2).T
    image = np.repeat(ramp.astype("uint8")[..., None], 3, axis=-1)
    depth = np.full((2, 20000, 1), 3.0, "float32")
    depth[:, 10000:] = 5
    raw = {"image": image, "depth": depth}
    if turned:
        raw = {name: array.transpose(1, 0, 2) for name, array in raw.items()}
    got = both_ways(lambda example: transforms.cover(example, (240, 320)), raw)
    shown = got["image"].transpose(1, 0, 2) if turned else got["image"]
    assert np.ptp(shown) <= 1 and abs(int(shown[0, 0, 0]) - 127) <= 1
    assert set(np.unique(got["depth"])) == {3.0, 5.0}
    side = np.mean(got["depth"] == 5)
    assert side == pytest.approx(0.5, abs=0.01)
