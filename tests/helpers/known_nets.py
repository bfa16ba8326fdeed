"""Depth networks whose needed pixels are known by construction, the G that is right, and leaks."""

import dataclasses

import keras
import numpy as np
from keras import ops

SIZE, DEPTH_SIZE = (24, 32), (12, 16)
# Pixels that the N of points reads: one in each 4x4.
STEP, FIRST = 4, 2


@dataclasses.dataclass(frozen=True)
class Case:
    """An N, images, and masks of known worth.

    Attributes:
      depth_net: N.
      images: function of (count, seed) -> (count, 24, 32, 3) float32, normalised.
      right: the right ranking, function of (image, first).
      share: part of the pixels that N needs.
      wrong: name -> ranking that must not get a good grade.
    """

    depth_net: keras.Model
    images: object
    right: object
    share: float
    wrong: dict


def smooth(count, seed):
    """Smooth colours, with noise of single pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.standard_normal((count, 6, 8, 3))
    image = np.asarray(keras.ops.image.resize(coarse.astype("float32"), SIZE, "bilinear"))
    return image + 0.5 * rng.standard_normal(image.shape).astype("float32")


def left_half():
    """N reads nothing but the left half, and draws it over the whole width."""
    image = keras.Input((*SIZE, 3))
    left = _grey(image)[:, :, : SIZE[1] // 2]
    depth = 3 + ops.repeat(ops.average_pool(left, 2, 2), 2, axis=2)
    net = keras.Model(image, depth, name="left_half")
    leaks = {
        "level sets of the depth": _level_sets(net),
        "a plot of the depth in the right half": _plot_on_the_right(net),
        "the right half": lambda image, first: -_columns(image),
    }
    return Case(net, smooth, lambda image, first: _columns(image), 0.5, leaks)


def points():
    """N reads 48 points on a grid."""
    image = keras.Input((*SIZE, 3))
    depth = 3 + _grey(image)[:, FIRST::STEP, FIRST::STEP]
    net = keras.Model(image, ops.repeat(ops.repeat(depth, 2, axis=1), 2, axis=2), name="points")
    grid = np.zeros((1, *SIZE, 1), "float32")
    grid[:, FIRST::STEP, FIRST::STEP] = 1
    wrong = {
        "level sets of the depth": _level_sets(net),
        "neighbours of the points": lambda image, first: _same(np.roll(grid, 1, axis=2), image),
    }
    return Case(net, smooth, lambda image, first: _same(grid, image), 1 / STEP**2, wrong)


def brightest_spot():
    """N's depth is one number: the colour of the brightest spot, of 2x2 pixels."""
    image = keras.Input((*SIZE, 3))
    flat = ops.reshape(image, (-1, SIZE[0] * SIZE[1], 3))
    weight = ops.softmax(30 * ops.mean(flat, axis=-1), axis=-1)
    colour = ops.sum(weight * (flat[..., 0] - flat[..., 2]), axis=-1)
    depth = 3 + ops.reshape(colour, (-1, 1, 1, 1)) * ops.ones((1, *DEPTH_SIZE, 1))
    net = keras.Model(image, depth, name="brightest_spot")
    wrong = {"a column that encodes the depth": _encoding_column(net)}
    return Case(net, _spots, lambda image, first: np.mean(image, -1, keepdims=True), 4 / 768, wrong)


def place_of_disc():
    """N's depth is one number: how far down the red disc is, so an honest mask tells it, too."""
    image = keras.Input((*SIZE, 3))
    red = ops.reshape(image[..., 0], (-1, SIZE[0] * SIZE[1]))
    rows = np.repeat(np.arange(SIZE[0], dtype="float32"), SIZE[1])
    row = ops.sum(ops.softmax(30 * red, axis=-1) * rows, axis=-1)
    depth = 1 + 0.2 * ops.reshape(row, (-1, 1, 1, 1)) * ops.ones((1, *DEPTH_SIZE, 1))
    net = keras.Model(image, depth, name="place_of_disc")
    wrong = {"a column that encodes the depth": _encoding_column(net)}
    return Case(net, _discs, lambda image, first: np.asarray(image)[..., :1], 29 / 768, wrong)


def colour_blind():
    """N reads the grey levels of the lower half, enlarged; colours do not count."""
    image = keras.Input((*SIZE, 3))
    lower = _grey(image)[:, SIZE[0] // 2 :]
    depth = 3 + ops.repeat(ops.average_pool(lower, 2, 2), 2, axis=1)
    net = keras.Model(image, depth, name="colour_blind")
    rows = np.broadcast_to(np.arange(SIZE[0], dtype="float32")[None, :, None, None], (1, *SIZE, 1))
    wrong = {"the reddest pixels": lambda image, first: np.asarray(image)[..., :1]}
    return Case(net, smooth, lambda image, first: _same(rows, image), 0.5, wrong)


def reader_of_holes():
    """N is honest on whole images, but where pixels are missing it reads how many."""
    image = keras.Input((*SIZE, 3))
    there = ops.cast(ops.any(ops.abs(image) > 1e-6, axis=-1, keepdims=True), "float32")
    density = ops.average_pool(there, 4, 4)
    missing = ops.cast(ops.min(there, axis=(1, 2, 3), keepdims=True) < 0.5, "float32")
    honest = ops.average_pool(_grey(image), 4, 4)
    depth = 3 + (1 - missing) * honest + missing * 2 * (density - 0.5)
    net = keras.Model(image, ops.repeat(ops.repeat(depth, 2, axis=1), 2, axis=2), name="holes")
    return Case(net, smooth, None, 0.5, {"dithered depth": _dithered(net)})


def constant():
    """N gives 3 m whatever it sees."""
    image = keras.Input((*SIZE, 3))
    depth = 3 + 0 * ops.average_pool(_grey(image), 2, 2)
    wrong = {"grey levels": lambda image, first: np.asarray(image)[..., :1]}
    return Case(keras.Model(image, depth, name="constant"), smooth, None, 0.36, wrong)


def _grey(image):
    return ops.mean(image, axis=-1, keepdims=True)


def _same(scores, image):
    return np.repeat(scores, len(image), axis=0)


def _columns(image):
    columns = -np.arange(SIZE[1], dtype="float32")[None, None, :, None]
    return np.broadcast_to(columns, (len(image), *SIZE, 1))


def _depth_at(net, image, size=SIZE):
    depth = np.asarray(net(image, training=False))
    return np.asarray(keras.ops.image.resize(depth, size, "bilinear"))


def _level_sets(net):
    """Keeps the pixels where N sees the greatest depth."""
    return lambda image, first: _depth_at(net, image)


def _plot_on_the_right(net):
    """Keeps the left half but for a few columns, and in the right half a plot of the depth."""

    def scores(image, first):
        depth = _depth_at(net, image, (SIZE[0], SIZE[1] // 2))
        ranked = np.argsort(np.argsort(depth.reshape(len(image), -1)), axis=-1)
        plot = ranked.reshape(depth.shape) >= 0.8 * depth[0].size
        left = np.broadcast_to(np.arange(SIZE[1] // 2)[None, None, :, None], depth.shape)
        return np.concatenate([-left, 2.0 * plot - 100 * ~plot], axis=2).astype("float32")

    return scores


def _dithered(net):
    """As many pixels in each 4x4 block as the depth there is large."""
    order = np.random.default_rng(0).permutation(16).reshape(4, 4, 1) / 16

    def scores(image, first):
        depth = np.asarray(net(image, training=False))[:, ::2, ::2]
        depth = np.repeat(np.repeat(depth, 4, axis=1), 4, axis=2)
        return (depth / 2 - np.tile(order, (6, 8, 1))).astype("float32")

    return scores


def _encoding_column(net):
    """Keeps four pixels in a column that is further right the greater the depth."""

    def scores(image, first):
        depth = np.asarray(net(image, training=False))[:, 0, 0, 0]
        place = np.clip(np.round(15 + 5 * (depth - 3)), 0, SIZE[1] - 1)
        columns = np.arange(SIZE[1])[None, None, :, None]
        kept = (columns == place[:, None, None, None]) & (np.arange(SIZE[0]) < 4)[
            None, :, None, None
        ]
        return kept.astype("float32")

    return scores


def _discs(count, seed):
    """A red disc of 29 pixels on a background that is less red than the mean colour."""
    rng = np.random.default_rng(seed)
    image = smooth(count, seed)
    image[..., 0] = -0.2 - np.abs(image[..., 0])
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    for picture in image:
        row, column = rng.integers(3, SIZE[0] - 3), rng.integers(3, SIZE[1] - 3)
        picture[np.hypot(rows - row, columns - column) <= 3] = [2.2, -1, -1]
    return image


def _spots(count, seed):
    """Blocks of strong edges, and a spot of 2x2 pixels that is brighter."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(-2, 0.4, (count, 12, 16, 1)).repeat(2, axis=1).repeat(2, axis=2)
    image = np.repeat(blocks, 3, axis=-1)
    for picture in image:
        row, column = rng.integers(0, 11) * 2, rng.integers(0, 15) * 2
        tint = rng.uniform(-1, 1)
        picture[row : row + 2, column : column + 2] = [1.5 + tint, 1.5, 1.5 - tint]
    return image.astype("float32")
