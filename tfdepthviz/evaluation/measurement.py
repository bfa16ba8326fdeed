"""Measurement of one batch: N's errors when it sees parts of the pixels."""

import numpy as np
import tensorflow as tf

from tfdepthviz import masks, metrics
from tfdepthviz.evaluation.bands import BANDS, distance_bands, mean_by_band
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.utils.arrays import valid_depth
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled

# Mean squared distance from N(I) and from ground truth, of all pixels and of each band.
FIGURES = tuple(
    f"{figure}{band}"
    for figure in ("fidelity_mse", "mse")
    for band in ("", *map("_{}".format, BANDS))
)
# What N is shown of a method's ranking, share by share.
CURVES = ("insert", "delete")
# What N is shown; a prediction stands for N's output.
VIEWS = ("image", "nothing", *CURVES, "mask", "binary_mask", "prediction")


class Measurement:
    """Shows N one batch under each view, and measures its errors.

    Made once for all batches, because it compiles N.

    Args:
      target: DepthTarget.
      mask_functions, scores, shares, threshold, rankings, predictions, views: as for
        `comparison.compare`.
    """

    def __init__(
        self, target, mask_functions, scores, shares, threshold, *, rankings, predictions, views
    ):
        self.target = target
        self.mask_functions, self.scores = mask_functions, scores
        self.shares, self.threshold = shares, threshold
        self.rankings, self.predictions, self.views = rankings, predictions, views
        self._predict = compiled(lambda image: target.net(image, training=False))
        self._squares, self._squares_of = _compiled_squares(target)

    def __call__(self, batch, first, progress):
        """Measures one batch.

        Args:
          batch: {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres or absent}.
          first: place of the batch's first image in its set.
          progress: called with the number of images that N has just been shown.
        Returns:
          dict of "view/name" -> (B, K, 8) FIGURES of the K masks of a view, whose name is that of a
          mask or a control, or empty; "kept/name" and "entropy/name" -> (B,) of each mask.
        Raises:
          InputError: scores or an output that is not finite.
        """
        image = tf.convert_to_tensor(batch["image"])
        references = _references(self.target, self._predict(image).numpy(), batch.get("depth"))
        measured = {}

        def show(view, name, shown):
            rows = []
            for mask in shown:
                seen = self.target.shown(image, mask)
                rows.append(self._squares(seen, *references).numpy())
                progress(len(image))
            measured[f"{view}/{name}"] = _checked(np.stack(rows, axis=1), view, name, first)

        ones = tf.ones((*image.shape[:3], 1))
        show("image", "", [ones])
        show("nothing", "", [0 * ones])
        for name, values in self._ranked(image, first, measured, show).items():
            _check_finite(values, f"scores {name!r}", first)
            top = top_shares(values)
            if "insert" in self.views:
                show("insert", name, map(top, self.shares))
            if "delete" in self.views:
                show("delete", name, (1 - top(share) for share in self.shares))
        for name, values in self.predictions.items():
            y = tf.repeat(tf.cast(values, tf.float32)[None], len(image), axis=0)
            rows = self._squares_of(y, *references).numpy()[:, None]
            measured[f"prediction/{name}"] = _checked(rows, "prediction", name, first)
        return measured

    def _ranked(self, image, first, measured, show):
        """Scores of each mask and control; measures the masks themselves, too."""
        ranked = {}
        for name, mask_function in self.mask_functions.items():
            mask = tf.convert_to_tensor(mask_function(image, first))
            show("mask", name, [mask])
            show("binary_mask", name, [masks.binarise(mask, self.threshold)])
            measured[f"kept/{name}"] = np.asarray(metrics.sparseness(mask, self.threshold))
            measured[f"entropy/{name}"] = np.asarray(metrics.entropy(mask))
            ranking = self.rankings.get(name)
            ranked[name] = np.asarray(ranking(image, first) if ranking else mask)
        for name, score in self.scores.items():
            ranked[name] = np.asarray(score(image, first))
        return ranked


def top_shares(scores):
    """Function of a share -> mask of the top share; sorts once for all shares.

    Args:
      scores: (B, H, W, 1) float array; high comes first, equal scores in reading order.
    Returns:
      function: float in [0, 1] -> (B, H, W, 1) float32 tensor, the same as
      `masks.top_share_mask(scores, share)`.
    """
    flat = scores.reshape(len(scores), -1)
    order = np.argsort(-flat, axis=-1, kind="stable")
    rank = np.empty(order.shape, "int32")
    np.put_along_axis(rank, order, np.arange(flat.shape[1], dtype="int32")[None], axis=-1)
    rank = rank.reshape(scores.shape)

    def top(share):
        pixels = np.round(np.float32(share) * np.float32(flat.shape[1]))
        return tf.convert_to_tensor((rank < pixels).astype("float32"))

    return top


def _compiled_squares(target):
    """Two functions that return (B, 8) FIGURES.

    The first is one of what N sees and its references, the second of N's output and references.
    """

    def of_output(y, full, truth, full_bands, truth_bands):
        full, comparable = target.comparable(full, y)
        metres = target.in_metres(truth, aligned_resize(y, truth.shape[1:3]))
        fidelity = mean_by_band(tf.square(comparable - full), full_bands)
        error = mean_by_band(tf.square(metres - truth), truth_bands)
        return tf.concat([fidelity, error], axis=-1)

    def of_shown(shown, full, truth, full_bands, truth_bands):
        y = target.net(shown, training=False)
        return of_output(y, full, truth, full_bands, truth_bands)

    return [compiled(function) for function in (of_shown, of_output)]


def _references(target, full, truth):
    """Tensors that a batch is compared with: N(I), the truth, and the bands of both."""
    # All missing: the figures against truth come out as they do for a data set without any.
    truth = np.zeros_like(full) if truth is None else np.asarray(truth, "float32")
    distance = -full if target.depth_kind == "inverse" else full
    full_bands = distance_bands(distance, np.isfinite(full))
    truth_bands = distance_bands(truth, valid_depth(truth))
    return tuple(map(tf.convert_to_tensor, (full, truth, full_bands, truth_bands)))


def _checked(rows, view, name, first):
    """Figures (B, K, 8) of a view of a method, if the distances from N(I) are finite."""
    fidelity = rows[..., FIGURES.index("fidelity_mse")]
    _check_finite(fidelity, f"depth_net's output for {(name, view)}", first)
    return rows


def _check_finite(values, name, first):
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=-1)
    if not finite.all():
        image = first + int(np.argmin(finite))
        raise InputError(f"{name} is not finite: image {image} of the set")
