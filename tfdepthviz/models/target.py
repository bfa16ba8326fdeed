"""DepthTarget: any depth network behind one contract, so that it can be explained.

The rest of the project knows one kind of N: a keras.Model that maps an image of ImageNet's
normalisation to one map. Here a network with habits of its own becomes one, or it is said which
clause of the contract it breaks.
"""

import dataclasses
import logging

import keras
import numpy as np
from keras import layers, ops

from tfdepthviz.metrics import alignment
from tfdepthviz.metrics.alignment import check_kind
from tfdepthviz.models.blocks import output_dtype
from tfdepthviz.models.folding import fold_batch_norm
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError, one_line

# The reference's size for NYU.
INPUT_SIZE = (228, 304)
MEAN, STD = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
# What a network wants to see: (mean, std) that it expects to be taken off RGB in [0, 1].
NORMALISATIONS = {
    "imagenet": (MEAN, STD),
    "unit": (np.zeros(3), np.ones(3)),
    "signed": (np.full(3, 0.5), np.full(3, 0.5)),
    "bytes": (np.zeros(3), np.full(3, 1 / 255)),
}
# Largest difference, as a share of the output's spread, between an image alone and in a batch.
BATCH_TOLERANCE = 0.02
# A depth that varies by less than this share of itself over made-up images is as good as flat.
FLAT = 1e-3
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DepthTarget:
    """A depth network N that fulfils the contract.

    Attributes:
      net: keras.Model, frozen: image of ImageNet's normalisation (B, H, W, 3) -> (B, h, w, 1).
      depth_kind: what the output means: "metric" (metres), "relative" (depth up to scale and shift)
        or "inverse" (inverse depth up to scale and shift: more = nearer).
    """

    net: keras.Model
    depth_kind: str = "metric"

    @property
    def input_size(self):
        """(H, W) of the image that N sees."""
        return tuple(self.net.input_shape[1:3])

    @property
    def output_size(self):
        """(h, w) of the map that N gives."""
        return tuple(self.net.output_shape[1:3])

    @property
    def unit(self):
        """Unit of `comparable` maps in words: "m", or "σ" where N's output has no unit."""
        return alignment.unit(self.depth_kind)

    def comparable(self, y_full, y_masked, ridge=0.0):
        """N(I) and N(I*M) as maps that losses and fidelity compare: `alignment.comparable`."""
        return alignment.comparable(self.depth_kind, y_full, y_masked, ridge)

    def drawable(self, y_full, y_masked):
        """N(I) and N(I*M) as maps that grow with distance: `alignment.drawable`."""
        return alignment.drawable(self.depth_kind, y_full, y_masked)

    def in_metres(self, y_true, y_pred):
        """N's output in metres, aligned to the truth without a unit: `alignment.in_metres`."""
        return alignment.in_metres(self.depth_kind, y_true, y_pred)

    def folded(self):
        """The same N, cheaper in inference: `folding.fold_batch_norm`; its layers are others."""
        return dataclasses.replace(self, net=fold_batch_norm(self.net))


def as_target(depth_net):
    """The depth network as a DepthTarget; a keras.Model on its own counts as one in metres.

    Args:
      depth_net: DepthTarget or keras.Model.
    Returns:
      DepthTarget.
    """
    return depth_net if isinstance(depth_net, DepthTarget) else DepthTarget(depth_net)


def depth_target(
    network, *, depth_kind, input_size=None, normalisation="imagenet", output=None, name="N"
):
    """Puts a depth network behind the contract and checks every clause of it.

    A removed pixel takes ImageNet's mean colour, whatever the network's own normalisation is.

    Args:
      network: keras.Model of one image input; or a function, image (B, H, W, 3) float32 tensor ->
        depth, made of operations that TensorFlow differentiates.
      depth_kind: "metric", "relative" or "inverse", see `DepthTarget`.
      input_size: (H, W) that the network sees; None: the size that its input layer fixes, or else
        INPUT_SIZE.
      normalisation: what the network wants to see: (mean, std), each of one or three numbers, that
        it expects to be taken off RGB in [0, 1]; or "imagenet", "unit" (RGB in [0, 1]), "signed"
        (-1 to 1) or "bytes" (0 to 255).
      output: name or number of the depth among several outputs; None if there is only one.
      name: what messages call the network.
    Returns:
      DepthTarget; its net is frozen, and so is `network` where it is a keras.Model.
    Raises:
      InputError: one line for each broken clause: what was received, what would be right.
    """
    check_kind(depth_kind)
    mean, std = _mean_and_std(normalisation, name)
    size = _input_size(network, input_size, name)
    image = keras.Input((*size, 3), name="image")
    seen = _renormalised(image, mean, std)
    depth = _DepthOf(network, size, output, name)(seen)
    net = keras.Model(image, depth, name="depth_target")
    for frozen in [net, network] if isinstance(network, keras.Model) else [net]:
        frozen.trainable = False
    check_contract(net, name, getattr(network, "variables", ()))
    return DepthTarget(net, depth_kind)


def check_contract(net, name="N", variables=()):
    """Tries a frozen depth network on two made-up images.

    Args:
      net: keras.Model, (B, H, W, 3) -> (B, h, w, 1).
      name: what messages call it.
      variables: further ones that must not change, of a network that is no Keras model.
    Raises:
      InputError: one line for each of these clauses that is broken: one finite map of at least 2x2
        pixels; the same answer again, and for an image alone as in a batch (nothing random, batch
        statistics frozen); a finite gradient with respect to the image; nothing trainable.
    """
    images = _made_up_images(net.input_shape[1:3])
    variables = [*net.variables, *variables]
    before = [ops.convert_to_numpy(v) for v in variables]
    depth = ops.convert_to_numpy(net(images, training=False)).astype("float64")
    broken = []
    if depth.ndim != 4 or depth.shape[0] != 2 or depth.shape[3] != 1 or min(depth.shape[1:3]) < 2:
        raise _broken(name, "output", "expected (2, h, w, 1) for two images", depth.shape)
    if not np.isfinite(depth).all():
        share = f"{np.mean(~np.isfinite(depth)):.1%} of the values not finite"
        raise _broken(name, "finite output", "expected numbers everywhere", share)
    again = ops.convert_to_numpy(net(images, training=False))
    alone = ops.convert_to_numpy(net(images[:1], training=False))
    allowed = BATCH_TOLERANCE * max(depth.std(), 1e-3 * np.abs(depth).max())
    for other, clause, wanted in (
        (again, "deterministic", "expected the same depth for the same images"),
        (alone, "batch statistics frozen", "expected the same depth for an image alone"),
    ):
        apart = np.abs(other - depth[: len(other)]).max()
        if not apart <= allowed and not broken:
            broken.append(_broken(name, clause, wanted, f"{apart:.3g} apart"))
    after = [ops.convert_to_numpy(v) for v in variables]
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True)):
        broken.append(_broken(name, "frozen", "expected no variable to change", "some did"))
    broken += _broken_gradient(net, images[:1], name)
    if net.trainable_variables:
        names = [v.path for v in net.trainable_variables[:3]]
        broken.append(_broken(name, "nothing trainable", "expected no trainable variable", names))
    if broken:
        raise InputError("\n".join(str(error) for error in broken))
    if depth.std() < FLAT * np.abs(depth).mean():
        share = depth.std() / np.abs(depth).mean()
        _log.warning(
            f"{name}: its depth hardly varies, by {share:.1e} of itself over made-up images; a "
            "mask says nothing about a network whose answer does not depend on the image"
        )


def _broken_gradient(net, image, name):
    # Only TensorFlow trains mask generators; the networks run on every backend of Keras.
    import tensorflow as tf

    image = tf.convert_to_tensor(image)
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(net(image, training=False))
    try:
        gradient = tape.gradient(total, image)
    except (LookupError, tf.errors.OpError) as error:
        return [_broken(name, "gradient", "expected operations with a gradient", error)]
    wanted = "expected a finite gradient of the depth with respect to the image"
    if gradient is None:
        return [_broken(name, "gradient", wanted, "none at all")]
    gradient = gradient.numpy()
    if not np.isfinite(gradient).all():
        return [_broken(name, "gradient", wanted, "values that are not finite")]
    if not gradient.any():
        return [_broken(name, "gradient", wanted, "zero everywhere: the depth ignores the image")]
    return []


def _made_up_images(size):
    """Two images of soft blotches, in ImageNet's normalisation."""
    coarse = np.random.default_rng(0).random((2, *(-(-n // 16) for n in size), 3))
    images = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, : size[0], : size[1]]
    return ((images - MEAN) / STD).astype("float32")


def _input_size(network, wanted, name):
    """(H, W) from what the caller wants and what the network's input layer fixes."""
    fixed = (None, None)
    shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(_symbolic_input(network))]
    shapes = shapes or getattr(network, "image_shapes", [])
    if shapes:
        if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] not in (3, None):
            raise _broken(name, "input", "expected one image (B, H, W, 3)", shapes)
        fixed = shapes[0][1:3]
    if wanted is None:
        return tuple(f or default for f, default in zip(fixed, INPUT_SIZE, strict=True))
    if any(f not in (None, w) for f, w in zip(fixed, wanted, strict=True)):
        raise _broken(name, "input size", f"expected {fixed}, which its input layer fixes", wanted)
    return tuple(wanted)


def _symbolic_input(network):
    """A Keras model's input tensors; () of a subclassed model or a function, which state none."""
    if not isinstance(network, keras.Model):
        return ()
    try:
        return network.input
    except (AttributeError, ValueError):
        return getattr(network, "inputs", None) or ()  # of a Sequential model


def _mean_and_std(normalisation, name):
    """Two arrays (3,) from a name or a pair."""
    if isinstance(normalisation, str) and normalisation in NORMALISATIONS:
        return NORMALISATIONS[normalisation]
    try:
        mean, std = (np.broadcast_to(np.asarray(v, "float64"), 3) for v in normalisation)
        if np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all():
            return mean, std
    except (TypeError, ValueError):
        pass
    wanted = f"expected one of {', '.join(NORMALISATIONS)}, or mean and std of R, G, B above 0"
    raise _broken(name, "normalisation", wanted, normalisation)


def _renormalised(image, mean, std):
    if np.array_equal((mean, std), (MEAN, STD)):
        return image
    scale, offset = STD / std, (MEAN - mean) / std
    return layers.Rescaling(list(scale), list(offset), dtype=output_dtype(), name="as_trained")(
        image
    )


class _DepthOf(layers.Layer):
    """A network or function as a layer with one output (B, h, w, 1), whatever form it answers in.

    Args:
      network: keras.Model or function of an image batch.
      size: (H, W) of the image.
      output: name or number of the depth among the outputs; None: the only one.
      label: what messages call the network.
    """

    def __init__(self, network, size, output, label):
        super().__init__(name="network", trainable=False, dtype=output_dtype())
        self.network = network
        self.size = size
        self.output_name = output
        self.label = label
        try:
            depth = self._depth(np.zeros((2, *size, 3), "float32"))
        except InputError:
            raise
        except Exception as error:  # a foreign network may raise anything
            text = one_line(str(error), 300)
            wanted = f"expected to take images (2, {size[0]}, {size[1]}, 3)"
            raise _broken(label, "input", wanted, f"{type(error).__name__}: {text}") from error
        self.depth_shape = tuple(depth.shape[1:])

    def call(self, image):
        return ops.reshape(self._depth(image), (-1, *self.depth_shape))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.depth_shape)

    def folded(self):
        """What `fold_batch_norm` takes in place of this layer."""
        network = fold_batch_norm(self.network)
        if network is self.network:
            return self
        return _DepthOf(network, self.size, self.output_name, self.label)

    def get_config(self):
        """Says which network this is, as far as a configuration can; none is made from it."""
        if not isinstance(self.network, keras.Model):
            raise TypeError("a function has no configuration")
        network = keras.saving.serialize_keras_object(self.network)
        return {"network": network, "size": self.size, "output": self.output_name}

    def _depth(self, image):
        is_model = isinstance(self.network, keras.Model)
        if isinstance(symbolic := _symbolic_input(self.network), dict):
            image = dict.fromkeys(symbolic, image)
        found = self.network(image, training=False) if is_model else self.network(image)
        depth = ops.convert_to_tensor(self._chosen(found))
        if len(depth.shape) == 3:
            depth = depth[..., None]
        if len(depth.shape) != 4 or depth.shape[3] != 1:
            wanted = "expected one map, (B, h, w) or (B, h, w, 1)"
            raise _broken(self.label, "output", wanted, tuple(depth.shape))
        return ops.cast(depth, output_dtype())

    def _chosen(self, found):
        """The depth out of a tensor, a list or a dict."""
        if not isinstance(found, dict | list | tuple):
            if self.output_name not in (None, "0"):
                raise _broken(
                    self.label, "output", "expected no name: it has one", self.output_name
                )
            return found
        named = found if isinstance(found, dict) else {str(i): v for i, v in enumerate(found)}
        name = self.output_name
        if name is None and len(named) == 1:
            (name,) = named
        if str(name) not in named:
            wanted = f"expected the depth's name, one of {', '.join(named)}"
            raise _broken(self.label, "output", wanted, name)
        return named[str(name)]


def _broken(name, clause, wanted, received):
    return InputError(f"{name}, clause {clause!r}: {wanted}. Received: {one_line(received, 400)}")
