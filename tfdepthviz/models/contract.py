"""The contract of a depth network, and the check that a network keeps it."""

import logging

import numpy as np
from keras import ops

from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError, is_out_of_memory, one_line

# Largest difference, as a share of the output's spread, between an image alone and in a batch.
BATCH_TOLERANCE = 0.02
# A depth that varies by less than this share of itself over made-up images is as good as flat.
FLAT = 1e-3
_log = logging.getLogger(__name__)


def check_contract(net, name="N", variables=()):
    """Tries a frozen depth network on two made-up images.

    Warns in the log if the depth hardly varies.

    Args:
      net: keras.Model, (B, H, W, 3) -> (B, h, w, 1).
      name: what messages call it.
      variables: further ones that must not change, of a network that is no Keras model.
    Raises:
      InputError: one line for each of these clauses that is broken: finite weights; one finite map
        of at least 2x2 pixels; the same answer again, and for an image alone as in a batch (nothing
        random, batch statistics frozen); a finite gradient with respect to the image, in a graph
        and with a batch of another size; nothing trainable.
    """
    images = _made_up_images(net.input_shape[1:3])
    variables = [*net.variables, *variables]
    if wrong := not_finite(variables):
        raise broken_clause(name, "finite weights", "expected numbers in all of them", wrong[:3])
    before = [ops.convert_to_numpy(v) for v in variables]
    depth = ops.convert_to_numpy(net(images, training=False)).astype("float64")
    _check_map(depth, name)
    broken = _broken_repetition(net, images, depth, name)
    after = [ops.convert_to_numpy(v) for v in variables]
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True)):
        broken.append(broken_clause(name, "frozen", "expected no variable to change", "some did"))
    broken += _broken_gradient(net, images, name)
    if net.trainable_variables:
        names = [v.path for v in net.trainable_variables[:3]]
        expected = "expected no trainable variable"
        broken.append(broken_clause(name, "nothing trainable", expected, names))
    if broken:
        raise InputError("\n".join(str(error) for error in broken))
    if depth.std() < FLAT * np.abs(depth).mean():
        share = depth.std() / np.abs(depth).mean()
        _log.warning(
            f"{name}: its depth hardly varies, by {share:.1e} of itself over made-up images; a "
            "mask says nothing about a network whose answer does not depend on the image"
        )


def not_finite(variables):
    """Names of the variables that hold NaN or infinity."""
    values = {getattr(v, "path", v.name): np.asarray(ops.convert_to_numpy(v)) for v in variables}
    return [
        name
        for name, value in values.items()
        if value.dtype.kind not in "OSU" and not np.isfinite(value.astype("float32")).all()
    ]


def broken_clause(name, clause, expected, received):
    """The InputError of one broken clause, in one line.

    Args:
      name: what messages call the network.
      clause: a word or two.
      expected: "expected ...".
      received: anything; shortened.
    """
    return InputError(
        f"{name}, clause {clause!r}: {expected}. Received: {one_line(received, 2000)}"
    )


def _check_map(depth, name):
    """Raises at once: the other clauses say nothing about what is no finite map."""
    if depth.ndim != 4 or depth.shape[0] != 2 or depth.shape[3] != 1 or min(depth.shape[1:3]) < 2:
        raise broken_clause(name, "output", "expected (2, h, w, 1) for two images", depth.shape)
    if not np.isfinite(depth).all():
        share = f"{np.mean(~np.isfinite(depth)):.1%} of the values not finite"
        raise broken_clause(name, "finite output", "expected numbers everywhere", share)


def _broken_repetition(net, images, depth, name):
    """[] or one error: another depth for the same images, or else for an image alone."""
    again = ops.convert_to_numpy(net(images, training=False))
    alone = ops.convert_to_numpy(net(images[:1], training=False))
    allowed = BATCH_TOLERANCE * max(depth.std(), 1e-3 * np.abs(depth).max())
    for other, clause, expected in (
        (again, "deterministic", "expected the same depth for the same images"),
        (alone, "batch statistics frozen", "expected the same depth for an image alone"),
    ):
        apart = np.abs(other - depth[: len(other)]).max()
        if not apart <= allowed:
            return [broken_clause(name, clause, expected, f"{apart:.3g} apart")]
    return []


def _broken_gradient(net, images, name):
    """[] or one error about the gradient of the depth with respect to the image."""
    # Only TensorFlow trains mask generators; the networks run on every backend of Keras.
    import tensorflow as tf

    # In a graph and with a batch of any size, as it is trained on.
    @tf.function(input_signature=[tf.TensorSpec((None, *images.shape[1:]))], autograph=False)
    def step(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            total = tf.reduce_sum(net(image, training=False))
        gradient = tape.gradient(total, image)
        return [] if gradient is None else [gradient]

    try:
        gradients = step(tf.concat([images, images[:1]], 0))
    except LookupError as error:
        return [broken_clause(name, "gradient", "expected operations with a gradient", error)]
    except Exception as error:  # a foreign network may raise anything
        if is_out_of_memory(error):
            raise
        expected = "expected to run in a graph, with a batch of any size"
        return [broken_clause(name, "graph", expected, error)]
    gradient = gradients[0] if gradients else None
    expected = "expected a finite gradient of the depth with respect to the image"
    if gradient is None:
        return [broken_clause(name, "gradient", expected, "none at all")]
    gradient = gradient.numpy()
    if not np.isfinite(gradient).all():
        return [broken_clause(name, "gradient", expected, "values that are not finite")]
    if not gradient.any():
        zero = "zero everywhere: the depth ignores the image"
        return [broken_clause(name, "gradient", expected, zero)]
    return []


def _made_up_images(size):
    """Two images of soft blotches, in ImageNet's normalisation."""
    coarse = np.random.default_rng(0).random((2, *(-(-n // 16) for n in size), 3))
    images = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, : size[0], : size[1]]
    return ((images - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)).astype("float32")
