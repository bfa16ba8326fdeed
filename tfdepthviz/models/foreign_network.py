"""Foreign networks: the size and normalisation of their image, and their depth as one map."""

import keras
import numpy as np
from keras import layers, ops

from tfdepthviz.models.blocks import output_dtype
from tfdepthviz.models.contract import broken_clause
from tfdepthviz.models.folding import fold_batch_norm
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD, INPUT_SIZE
from tfdepthviz.utils.errors import InputError, is_out_of_memory, one_line

MEAN, STD = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
# (mean, std) that a network expects to be taken off RGB in [0, 1].
NORMALISATIONS = {
    "imagenet": (MEAN, STD),
    "unit": (np.zeros(3), np.ones(3)),
    "signed": (np.full(3, 0.5), np.full(3, 0.5)),
    "bytes": (np.zeros(3), np.full(3, 1 / 255)),
}


# Sides of images that encoders take are most often multiples of these.
MULTIPLES = (8, 14, 16, 32, 64)


class ForeignNetwork(layers.Layer):
    """A network or function as a layer with one output (B, h, w, 1), whatever form it answers in.

    A network that takes one image at a time sees the images of a batch one after the other.

    Args:
      network: keras.Model or function of an image batch.
      size: (H, W) of the image.
      output: name or number of the depth among the outputs; None: the only one.
      label: what messages call the network.
    Raises:
      InputError: it does not take such images, or gives no map.
    """

    def __init__(self, network, size, output, label):
        super().__init__(name="network", trainable=False, dtype=output_dtype())
        self.network = network
        self.size = size
        self.output_name = output
        self.label = label
        self.one_by_one = False
        try:
            depth = self._tried(size)
        except InputError:
            raise
        except Exception as error:  # a foreign network may raise anything
            if is_out_of_memory(error):
                raise
            expected = f"expected to take images (2, {size[0]}, {size[1]}, 3)"
            received = f"{type(error).__name__}: {one_line(str(error))}"
            if fitting := self._fitting_sizes(size):
                received += f". It takes {fitting}"
            raise broken_clause(label, "input", expected, received) from error
        self.depth_shape = tuple(depth.shape[1:])

    def call(self, image):
        return ops.reshape(self._depth(image), (-1, *self.depth_shape))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.depth_shape)

    def folded(self):
        """The layer that `fold_batch_norm` puts into the place of this one."""
        network = fold_batch_norm(self.network)
        if network is self.network:
            return self
        return ForeignNetwork(network, self.size, self.output_name, self.label)

    def get_config(self):
        """Describes the network as far as a configuration can; no layer is made from it."""
        if not isinstance(self.network, keras.Model):
            raise TypeError("a function has no configuration")
        network = keras.saving.serialize_keras_object(self.network)
        return {"network": network, "size": self.size, "output": self.output_name}

    def _tried(self, size):
        """The depth of two black images; of one at a time, if the network's batch is 1."""
        images = np.zeros((2, *size, 3), "float32")
        try:
            return self._depth(images)
        except InputError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self.one_by_one = True
            try:
                return self._depth(images)
            except Exception:  # the first one says more
                self.one_by_one = False
        return self._depth(images)

    def _fitting_sizes(self, size):
        """Sizes near this one that the network takes, in words; found by trying."""
        fitting = []
        for multiple in MULTIPLES:
            near = tuple(max(multiple, round(n / multiple) * multiple) for n in size)
            try:
                self._depth(np.zeros((2, *near, 3), "float32"))
            except Exception:
                continue
            fitting.append(f"input_size={near[0]},{near[1]} (multiples of {multiple})")
        return ", ".join(fitting)

    def _depth(self, image):
        if self.one_by_one:
            return ops.map(lambda one: self._depth_of_batch(one[None])[0], image)
        return self._depth_of_batch(image)

    def _depth_of_batch(self, image):
        is_model = isinstance(self.network, keras.Model)
        if isinstance(symbolic := _symbolic_input(self.network), dict):
            image = dict.fromkeys(symbolic, image)
        outputs = self.network(image, training=False) if is_model else self.network(image)
        depth = ops.convert_to_tensor(self._chosen(outputs))
        if len(depth.shape) == 3:
            depth = depth[..., None]
        if len(depth.shape) != 4 or depth.shape[3] != 1:
            expected = "expected one map, (B, h, w) or (B, h, w, 1)"
            raise broken_clause(self.label, "output", expected, tuple(depth.shape))
        return ops.cast(depth, output_dtype())

    def _chosen(self, outputs):
        """The depth out of a tensor, a list or a dict."""
        name = self.output_name
        if not isinstance(outputs, dict | list | tuple):
            if name not in (None, "0"):
                raise broken_clause(self.label, "output", "expected no name: it has one", name)
            return outputs
        named = outputs if isinstance(outputs, dict) else {str(i): v for i, v in enumerate(outputs)}
        if name is None and len(named) == 1:
            (name,) = named
        if str(name) not in named:
            expected = f"expected the depth's name, one of {', '.join(named)}"
            raise broken_clause(self.label, "output", expected, name)
        return named[str(name)]


def input_size_of(network, size, name):
    """The size of the image that a network sees.

    Args:
      network: keras.Model or function of an image batch.
      size: (H, W), or None: the size that the input layer fixes, or else INPUT_SIZE.
      name: what messages call the network.
    Returns:
      (H, W).
    Raises:
      InputError: the network takes no image, or fixes another size.
    """
    fixed = (None, None)
    shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(_symbolic_input(network))]
    shapes = shapes or getattr(network, "image_shapes", [])
    if shapes:
        if len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][1] == 3 != shapes[0][3]:
            raise broken_clause(
                name,
                "input",
                "expected one image (B, H, W, 3); this network takes channels first: give code "
                "FILE.py:NAME whose function calls it on tf.transpose(image, (0, 3, 1, 2))",
                shapes,
            )
        if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] not in (3, None):
            raise broken_clause(name, "input", "expected one image (B, H, W, 3)", shapes)
        fixed = shapes[0][1:3]
    if size is None:
        return tuple(f or default for f, default in zip(fixed, INPUT_SIZE, strict=True))
    if any(f not in (None, w) for f, w in zip(fixed, size, strict=True)):
        expected = f"expected {fixed}, which its input layer fixes"
        raise broken_clause(name, "input size", expected, size)
    return tuple(size)


def mean_and_std(normalisation, name):
    """Mean and std of a normalisation.

    Args:
      normalisation: one of NORMALISATIONS, or (mean, std), each of one or three numbers.
      name: what messages call the network.
    Returns:
      two arrays (3,).
    Raises:
      InputError: it is neither, or std is not above 0.
    """
    if isinstance(normalisation, str) and normalisation in NORMALISATIONS:
        return NORMALISATIONS[normalisation]
    try:
        mean, std = (np.broadcast_to(np.asarray(v, "float64"), 3) for v in normalisation)
        if np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all():
            return mean, std
    except (TypeError, ValueError):
        pass
    expected = f"expected one of {', '.join(NORMALISATIONS)}, or mean and std of R, G, B above 0"
    raise broken_clause(name, "normalisation", expected, normalisation)


def renormalised(image, mean, std):
    """An image of ImageNet's normalisation with this mean and std instead; a symbolic tensor."""
    if np.array_equal((mean, std), (MEAN, STD)):
        return image
    scale, offset = STD / std, (MEAN - mean) / std
    rescale = layers.Rescaling(list(scale), list(offset), dtype=output_dtype(), name="as_trained")
    return rescale(image)


def _symbolic_input(network):
    """A Keras model's input tensors; () of a subclassed model or a function, which state none."""
    if not isinstance(network, keras.Model):
        return ()
    try:
        return network.input
    except (AttributeError, ValueError):
        return getattr(network, "inputs", None) or ()  # of a Sequential model
