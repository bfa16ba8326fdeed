"""Figures of masks: their loss, the depth that they keep, and how much restarts differ."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz import masks, metrics
from tfdepthviz.models.target import as_target
from tfdepthviz.utils.constants import THRESHOLD


def rate(target, image, mask, objective, *, threshold=THRESHOLD):
    """Rates masks of any origin by an objective and by the depth that they keep.

    Args:
      target, objective: as for `MaskOptimizer`.
      image: (B, H, W, 3) float32, normalised.
      mask: (B, H, W, 1) float in [0, 1].
      threshold: M' = [M > threshold].
    Returns:
      dict of (B,) arrays: "loss" and its parts, see `Objective.values`; "sparseness", the share of
      pixels that M' keeps; "fidelity_rmse" and "binary_fidelity_rmse", distance of N(I * M) and of
      N(I * M') from N(I), in `DepthTarget.unit`.
    """
    target, mask = as_target(target), tf.convert_to_tensor(mask)
    binary = masks.binarise(mask, threshold)
    full, soft, hard = (
        target.net(shown, training=False)
        for shown in (image, target.shown(image, mask), target.shown(image, binary))
    )
    figures = objective.values(target, full, soft, mask)
    figures["sparseness"] = metrics.sparseness(mask, threshold)
    for name, y in (("fidelity_rmse", soft), ("binary_fidelity_rmse", hard)):
        compared = target.comparable(full, y)
        figures[name] = tf.sqrt(metrics.fidelity_mse(*compared))
    return {name: keras.ops.convert_to_numpy(values) for name, values in figures.items()}


def disagreement(result, threshold=THRESHOLD):
    """Measures how much the masks of different restarts differ.

    For binarised masks a and b, IoU = |a and b| / |a or b|. Two random masks that keep the shares p
    and q have p q / (p + q - p q). Where restarts are no closer than that, the image does not
    determine which pixels are kept.

    Args:
      result: SearchResult.
      threshold: M' = [M > threshold].
    Returns:
      dict: "spread" (B, H, W, 1), standard deviation of M over the restarts; "mean_spread" (B,),
      its mean; "iou" and "iou_by_chance" (B,), means over pairs of restarts, NaN with one restart.
    """
    spread = result.masks.std(axis=0)
    binary = (result.masks > threshold).reshape(*result.masks.shape[:2], -1)
    ious, chances = [], []
    for a, b in itertools.combinations(binary, 2):
        p, q = a.mean(axis=-1), b.mean(axis=-1)
        union = np.maximum((a | b).mean(axis=-1), 1e-12)
        ious.append((a & b).mean(axis=-1) / union)
        chances.append(p * q / np.maximum(p + q - p * q, 1e-12))
    none = np.full(binary.shape[1], np.nan)
    return {
        "spread": spread,
        "mean_spread": spread.mean(axis=(1, 2, 3)),
        "iou": np.mean(ious, axis=0) if ious else none,
        "iou_by_chance": np.mean(chances, axis=0) if chances else none,
    }
