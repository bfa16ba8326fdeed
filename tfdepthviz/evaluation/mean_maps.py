"""The mean map: N's mean output over training frames, a prediction that needs no pixel."""

import numpy as np
import tensorflow as tf

from tfdepthviz.models.target import as_target
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled


def mean_map(target, batches):
    """N's mean output over images.

    A mask whose pixels bring N no closer to N(I) than this map does tells N nothing about the
    image. Where N's output has no unit, each image's output is first brought to mean 0 and
    deviation 1.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      batches: iterable of {"image": (B, H, W, 3) normalised}, of training frames.
    Returns:
      (h, w, 1) float32, of N's output.
    Raises:
      InputError: no image, or an output that is not finite.
    """
    target = as_target(target)
    predict = compiled(lambda image: target.net(image, training=False))
    total, count = 0.0, 0
    for batch in batches:
        depth = predict(tf.convert_to_tensor(batch["image"])).numpy().astype("float64")
        if not np.isfinite(depth).all():
            raise InputError("depth_net's output is not finite on a frame of the mean map")
        if target.depth_kind != "metric":
            depth -= depth.mean(axis=(1, 2, 3), keepdims=True)
            depth /= np.maximum(depth.std(axis=(1, 2, 3), keepdims=True), 1e-12)
        total, count = total + depth.sum(axis=0), count + len(depth)
    if not count:
        raise InputError("the mean map needs at least one image")
    return (total / count).astype("float32")
