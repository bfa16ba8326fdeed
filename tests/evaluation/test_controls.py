"""Controls; expected values by NumPy, on a network whose gradient can be written down."""

import keras
import numpy as np
import pytest
import tiny_nets

from tfdepthviz import masks
from tfdepthviz.data import transforms
from tfdepthviz.evaluation import controls, gradients
from tfdepthviz.training import MaskOptimizer, Objective, Search
from tfdepthviz.utils.errors import InputError

SIZE = (6, 8)


@pytest.fixture(scope="module")
def depth_net():
    """N: (a + b x) of the red channel plus half the square of the green one; blue is not seen."""
    image = keras.Input((*SIZE, 3))
    weight = keras.ops.convert_to_tensor(plane())
    depth = weight * image[..., :1] + keras.ops.square(image[..., 1:2]) / 2
    return keras.Model(image, depth)


def plane():
    return np.linspace(-1, 2, SIZE[0] * SIZE[1], dtype="float32").reshape(1, *SIZE, 1)


def images(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *SIZE, 3)).astype("float32")


def test_gradient(depth_net):
    image = images(3)
    scores = gradients.gradient_magnitude(gradients.mean_depth_gradient(depth_net), image)
    expected = (np.abs(plane()) + np.abs(image[..., 1:2])) / (SIZE[0] * SIZE[1])
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_integrated_gradients(depth_net):
    image = images(3)
    gradient = gradients.mean_depth_gradient(depth_net)
    scores = gradients.integrated_gradients(gradient, image, steps=4)
    # Both terms are at most quadratic, for which the middles of the pieces are exact.
    share = (plane() * image[..., :1] + image[..., 1:2] ** 2 / 2) / (SIZE[0] * SIZE[1])
    np.testing.assert_allclose(scores, np.abs(share), rtol=1e-4, atol=1e-7)


def test_smoothgrad_averages_before_the_absolute_value(depth_net):
    image = images(2)
    gradient = gradients.mean_depth_gradient(depth_net)
    scores = gradients.smoothgrad(gradient, image, samples=3, noise=0.2, seed=5, first=10)
    for place in range(2):
        rng = np.random.default_rng((5, 10 + place))
        spread = 0.2 * (image[place].max() - image[place].min())
        noise = np.mean([rng.standard_normal((*SIZE, 3), "float32") for _ in range(3)], axis=0)
        green = image[place, ..., 1:2] + spread * noise[..., 1:2]
        expected = (np.abs(plane()[0]) + np.abs(green)) / (SIZE[0] * SIZE[1])
        np.testing.assert_allclose(scores[place], expected, rtol=1e-4)
    alone = gradients.smoothgrad(gradient, image[1:], samples=3, noise=0.2, seed=5, first=11)
    np.testing.assert_allclose(alone, scores[1:], rtol=1e-5)


def test_centre_falls_with_the_distance():
    scores = controls.centre((2, 5, 9, 3))
    assert scores.shape == (2, 5, 9, 1) and (scores[0] == scores[1]).all()
    assert scores.max() == scores[0, 2, 4, 0] == 0
    assert scores[0, 0, 4, 0] == pytest.approx(-2 / 5) and scores[0, 2, 0, 0] == pytest.approx(
        -4 / 9
    )
    assert scores[0, 0, 0, 0] == pytest.approx(-np.hypot(2 / 5, 4 / 9))


@pytest.mark.parametrize("share", [0.05, 0.36])
def test_random_and_edges_are_those_of_the_tables(share):
    net = tiny_nets.depth_net()
    image = tiny_nets.frames(3)["image"]
    scores = controls.control_scores(net, random_seeds=(4,), samples=2, steps=2)
    np.testing.assert_array_equal(
        masks.top_share_mask(scores["random/4"](image, 7), share),
        masks.random_mask((*image.shape[:3], 1), share, 4, first=7),
    )
    edges = masks.edge_strength(transforms.denormalise(image))
    np.testing.assert_array_equal(scores["sobel"](image, 0), edges)
    names = ("random", "gradient", "smoothgrad", "integrated_gradients")
    assert controls.gradient_passes(names, 2, 2) == 5
    assert controls.gradient_passes(controls.CHEAP) == 0
    blocks = controls.random_blocks(image.shape, 4, 7)
    np.testing.assert_array_equal(scores["random_blocks/4"](image, 7), blocks)
    for name, score in scores.items():
        values = score(image, 0)
        assert values.shape == (*image.shape[:3], 1) and np.isfinite(values).all(), name


def test_blurred_edges_are_local_means():
    image = tiny_nets.frames(2)["image"]
    edges = masks.edge_strength(transforms.denormalise(image)).numpy()
    scores = controls.blurred_edges(image).numpy()
    np.testing.assert_allclose(
        scores[1, 7, 9, 0], edges[1, 5:10, 7:12, 0].mean(dtype="float64"), rtol=1e-5
    )
    wide = controls.blurred_edges(image, 9).numpy()
    np.testing.assert_allclose(
        wide[1, 7, 9, 0], edges[1, 3:12, 5:14, 0].mean(dtype="float64"), rtol=1e-5
    )
    # At a corner only what is there counts.
    np.testing.assert_allclose(scores[0, 0, 0, 0], edges[0, :3, :3, 0].mean(), rtol=1e-5)


def painted_blocks(height, width, seed, place):
    """Scores of random blocks, each block painted onto a list of what is still bare."""
    rng = np.random.default_rng((seed, place))
    bare = {(row, column) for row in range(height) for column in range(width)}
    scores, sides = np.zeros((height, width)), []
    while bare:
        side = rng.integers(16, 65)
        top, left = rng.integers(1 - side, height), rng.integers(1 - side, width)
        covered = {(r, c) for r, c in bare if 0 <= r - top < side and 0 <= c - left < side}
        for pixel in covered:
            scores[pixel] = -len(sides)
        bare -= covered
        sides.append(side)
    return scores, sides


def test_random_blocks():
    scores = controls.random_blocks((2, 128, 140, 3), seed=3, first=5)
    assert scores.shape == (2, 128, 140, 1) and scores.dtype == np.float32
    for place in range(2):
        expected, sides = painted_blocks(128, 140, 3, 5 + place)
        np.testing.assert_array_equal(scores[place, ..., 0], expected)
        assert min(sides) >= 16 and max(sides) <= 64
    assert (scores[0] != scores[1]).any()


def test_random_blocks_do_not_depend_on_batches():
    together = controls.random_blocks((3, 40, 50, 3), seed=1, first=2)
    alone = controls.random_blocks((1, 40, 50, 3), seed=1, first=4)
    np.testing.assert_array_equal(together[2:], alone)
    other = controls.random_blocks((3, 40, 50, 3), seed=2, first=2)
    assert (other != together).any()
    # Blocks of small images are at most half as wide.
    assert (together[0] == 0).sum() <= 20**2


@pytest.mark.parametrize("share", [0.05, 0.2, 0.36, 0.6])
def test_random_blocks_keep_an_exact_share(share):
    scores = controls.random_blocks((3, 70, 90, 3), seed=0)
    kept = np.asarray(masks.top_share_mask(scores, share)).sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(kept, round(share * 70 * 90))


def test_random_blocks_favour_no_pixel():
    first = np.mean(controls.random_blocks((1000, 34, 36, 3), seed=0) == 0, axis=0)[..., 0]
    # 16 to 17 pixels of the 49 to 52 places along each axis: about 0.11, with a deviation of 0.01.
    assert first.min() > 0.07 and first.max() < 0.15


def test_unknown_control():
    with pytest.raises(InputError, match="names must be some of random, .*'edges'"):
        controls.control_scores(tiny_nets.depth_net(), ["edges"])


def test_searched_masks_are_the_best_restarts():
    net, image = tiny_nets.depth_net(), tiny_nets.frames(2)["image"]
    net.trainable = False
    search = Search(steps=4, restarts=2, logit_stride=4)
    optimizer = MaskOptimizer(net, Objective(share=0.3), search)
    scores = controls.optimised(optimizer, image, first=5)
    result = optimizer(image, first=5)
    for place in range(2):
        best = result.loss[:, place].argmin()
        np.testing.assert_array_equal(scores[place], result.logits[best, place])
    # The top share of these logits is the mask of the same search.
    np.testing.assert_array_equal(masks.top_share_mask(scores, 0.3), result.best_of(result.masks))
