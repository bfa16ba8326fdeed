"""SqueezeNet v1.1 with ImageNet weights, ported into the encoder of a compact depth network."""

import h5py
import numpy as np

from tfdepthviz.models.compact import FIRES
from tfdepthviz.models.porting.keras_safety import check_sizes
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError

# Taken off the image, R, G, B from 0 to 255, when the weights were trained.
CAFFE_MEAN_RGB = (123.68, 116.779, 103.939)


def load_imagenet_encoder(model, path):
    """Puts published SqueezeNet v1.1 weights into the encoder of a compact depth network.

    They were trained on BGR in 0..255 with a mean subtracted. Kernel and bias of conv1 are
    reordered and rescaled once, to mean the same on our normalised RGB.

    Args:
      model: the result of `compact_depth_net`.
      path: squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 (J. Wohlert's Keras port).
    Raises:
      InputError: the file is missing or is not this file.
    """
    arrays = _read_squeezenet(path)
    mean, std = 255.0 * np.array(IMAGENET_MEAN), 255.0 * np.array(IMAGENET_STD)
    kernel, bias = arrays["conv1"]
    kernel = kernel[:, :, ::-1, :]
    shift = np.einsum("hwco,c->o", kernel, mean - np.array(CAFFE_MEAN_RGB))
    arrays["conv1"] = (kernel * std[:, None], bias + shift)
    for layer_name, weights in arrays.items():
        model.get_layer(f"encoder_{layer_name}").set_weights(weights)


def _read_squeezenet(path):
    """Layer name -> (kernel, bias)."""
    names = ["conv1"] + [
        f"{fire}_{part}" for fire in FIRES for part in ("squeeze1x1", "expand1x1", "expand3x3")
    ]
    try:
        check_sizes(path)
        with h5py.File(path, "r") as file:
            return {name: _kernel_and_bias(file[name.replace("_", "/")]) for name in names}
    except Exception as error:  # whatever a damaged file makes h5py raise
        raise InputError(
            f"{path}: expected the Keras file of SqueezeNet v1.1 without classifier ({error})"
        ) from error


def _kernel_and_bias(group):
    """The arrays of a layer, however deep they lie; a kernel has more axes than a bias."""
    arrays = []

    def collect(_, item):
        if isinstance(item, h5py.Dataset):
            arrays.append(item[()])

    group.visititems(collect)
    return tuple(sorted(arrays, key=np.ndim, reverse=True))
