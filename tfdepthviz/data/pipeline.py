"""The only chain from raw examples to batches.

cache -> shuffle -> repeat -> map -> batch -> prefetch. Frames are cached before their random view,
so every epoch sees new views in a new order. Example i of a run is drawn with seed (seed, i), so a
run that continues at step k sees exactly the batches it would have seen.
"""

import functools

import numpy as np
import tensorflow as tf

from tfdepthviz.data import transforms
from tfdepthviz.utils import arrays
from tfdepthviz.utils.graphs import compiled

SHUFFLE_BUFFER = 2048
CACHE_LIMIT_BYTES = 4 << 30
# A process that works alone computes part 0 of 1 of each batch.
WHOLE = (0, 1)


def training_batches(
    raw: tf.data.Dataset,
    *,
    input_size: tuple[int, int],
    depth_size: tuple[int, int],
    batch_size: int,
    seed: int,
    max_zoom: float = 1.0,
    first_step: int = 0,
    part: tuple[int, int] = WHOLE,
) -> tf.data.Dataset:
    """Endless augmented batches; use `steps_per_epoch` to count epochs.

    Args:
      raw: data set of raw examples (see `examples`), of known cardinality.
      input_size: (H, W) of the network's input.
      depth_size: (h, w) of the network's output.
      batch_size: examples in a batch, over all replicas.
      seed: fixes order and augmentation.
      max_zoom: see `transforms.random_view`; 1 is the reference's augmentation.
      first_step: batches to skip at the start, when a run continues.
      part: (number, count): give examples number*B/count to (number+1)*B/count of each batch, as
        one of `count` machines; count must divide the batch size B.
    Returns:
      data set of {"image": (B, H, W, 3) float32 normalised, "depth": (B, h, w, 1) float32
      metres}, infinite cardinality.
    """

    def augment(index, example):
        index_seed = tf.stack([tf.constant(seed, tf.int32), tf.cast(index, tf.int32)])
        seeds = tf.unstack(tf.random.split(index_seed, 2))
        image = tf.cast(example["image"], tf.float32) / 255.0
        example = {"image": image, "depth": example["depth"]}
        example = transforms.random_view(example, seeds[0], max_zoom=max_zoom)
        image = transforms.random_colours(example["image"], seeds[1])
        example = {"image": transforms.normalise(image), "depth": example["depth"]}
        return transforms.crop(example, input_size, depth_size)

    size = transforms.margin_size(input_size)
    examples = _cached(raw, size)
    examples = examples.shuffle(min(len(raw), SHUFFLE_BUFFER), seed=seed)
    examples = examples.repeat().enumerate().skip(first_step * batch_size)
    if part != WHOLE:
        examples = examples.filter(lambda index, _: _in_part(index, batch_size, part))
    examples = examples.map(augment, tf.data.AUTOTUNE)
    batches = examples.batch(batch_size // part[1], drop_remainder=True)
    return batches.prefetch(tf.data.AUTOTUNE)


def places_of_step(count: int, *, batch_size: int, seed: int, step: int) -> list[int]:
    """Places of the raw examples that make up one step's batch of `training_batches`.

    Args:
      count: number of raw examples.
      batch_size, seed: as for `training_batches`.
      step: number of the step, from 0.
    Returns:
      batch_size places, each from 0 to count - 1.
    """
    places = tf.data.Dataset.range(count).shuffle(min(count, SHUFFLE_BUFFER), seed=seed).repeat()
    places = places.skip(step * batch_size).take(batch_size)
    return [int(place) for place in places.as_numpy_iterator()]


def evaluation_batches(
    raw: tf.data.Dataset,
    *,
    input_size: tuple[int, int],
    depth_size: tuple[int, int],
    batch_size: int,
    drop_remainder: bool = False,
    part: tuple[int, int] = WHOLE,
) -> tf.data.Dataset:
    """Every example once, in file order, without augmentation.

    Args:
      raw, input_size, depth_size, batch_size: as for `training_batches`; pass the input size as
        depth size to rate at the image's resolution, as the paper does.
      drop_remainder: leave out an incomplete last batch, which several replicas cannot share.
      part: as for `training_batches`; an incomplete last batch is left out of every part.
    Returns:
      data set of batches as `training_batches` gives; cardinality ceil(len(raw) / batch_size).
    """

    def prepare(example):
        example = transforms.crop(example, input_size, depth_size)
        image = transforms.normalise(tf.cast(example["image"], tf.float32) / 255.0)
        return {"image": image, "depth": example["depth"]}

    if part != WHOLE:
        raw = _part_of_whole_batches(raw, batch_size, part)
    examples = _cached(raw, transforms.margin_size(input_size))
    examples = examples.map(prepare, tf.data.AUTOTUNE)
    batches = examples.batch(batch_size // part[1], drop_remainder=drop_remainder)
    return batches.prefetch(tf.data.AUTOTUNE)


def spread(raw: tf.data.Dataset, count: int, *, input_size, depth_size) -> dict:
    """One batch of `count` frames, evenly spread over the set; all frames if there are fewer.

    Args:
      raw, input_size, depth_size: as for `training_batches`.
    Returns:
      a batch as `evaluation_batches` gives.
    """
    frames = evenly(raw, count)[0]
    sizes = {"input_size": input_size, "depth_size": depth_size}
    return next(iter(evaluation_batches(frames, **sizes, batch_size=count)))


def evenly(raw: tf.data.Dataset, count: int) -> tuple[tf.data.Dataset, list[int]]:
    """`count` raw examples, evenly spread over the set, and their places in it.

    Args:
      raw: data set of raw examples, of known cardinality.
      count: how many; all are taken if there are fewer.
    """
    places = arrays.evenly(len(raw), count)
    return chosen(raw, places), places


def chosen(raw: tf.data.Dataset, places: list[int]) -> tf.data.Dataset:
    """The raw examples at these places, in the order of the set.

    Args:
      raw: data set of raw examples, of known cardinality.
      places: from 0, each once.
    """
    is_chosen = np.zeros(len(raw), bool)
    is_chosen[places] = True
    is_chosen = tf.constant(is_chosen)
    frames = raw.enumerate().filter(lambda place, _: is_chosen[place]).map(lambda _, frame: frame)
    return frames.apply(tf.data.experimental.assert_cardinality(len(places)))


def steps_per_epoch(raw: tf.data.Dataset, batch_size: int) -> int:
    """Number of batches that show about every example once; at least 1."""
    return max(1, len(raw) // batch_size)


def _in_part(index, batch_size, part):
    number, count = part
    return index % batch_size // (batch_size // count) == number


def _part_of_whole_batches(raw, batch_size, part):
    taken = len(raw) // batch_size * batch_size
    examples = raw.take(taken).enumerate()
    examples = examples.filter(lambda index, _: _in_part(index, batch_size, part))
    examples = examples.map(lambda _, example: example)
    return examples.apply(tf.data.experimental.assert_cardinality(taken // part[1]))


def _cached(raw: tf.data.Dataset, size: tuple[int, int]) -> tf.data.Dataset:
    covered = raw.map(_covering(tuple(size)), tf.data.AUTOTUNE)
    # A pixel is cached as 3 bytes of colour and 4 of depth.
    fits = len(raw) * size[0] * size[1] * 7 <= CACHE_LIMIT_BYTES
    return covered.cache() if fits else covered


@functools.cache
def _covering(size: tuple[int, int]):
    """`transforms.cover` to a size; traced once, as a command prepares its frames several times."""
    return compiled(lambda example: transforms.cover(example, size), autograph=False)
