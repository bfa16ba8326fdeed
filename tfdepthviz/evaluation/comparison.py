"""Comparison of masks with controls: N's errors at equal shares of pixels, image by image."""

import dataclasses
import functools

import numpy as np

from tfdepthviz.evaluation.measurement import CURVES, FIGURES, VIEWS, Measurement
from tfdepthviz.models.target import as_target
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.shown import Shown

# Nothing and the whole image are always measured, too.
SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.36, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Errors of every image at every share, for each mask and control. N images, K shares.

    Attributes:
      shares: K shares, rising.
      squares: (method, view) -> (N, K, 8) mean squared errors, the FIGURES in their order. "insert"
        shows the top share of the method's scores, "delete" all but that; ("", "image") and
        ("", "nothing"), the "mask" and "binary_mask" of each mask and the "prediction" of a method
        that shows N no pixel have K = 1.
      mask_shares: mask -> (N,) share of the pixels above the threshold.
      entropy: mask -> (N,) bits a pixel, see `metrics.entropy`.
      images: (N,) the images' places in their data set.
      threshold: the grey level up to which the binarised mask removes a pixel.
      depth_kind: what N's output means, one of `alignment.KINDS`.
      removal: what N saw of a removed pixel, out of `removal.REMOVALS`.
    """

    shares: tuple
    squares: dict
    mask_shares: dict
    entropy: dict
    images: np.ndarray
    threshold: float
    depth_kind: str
    removal: str = "mean"

    def _rows(self):
        """Distance of N(I * top share) from N(I) over the set, by method and share."""
        rows = []
        for method, view in self.squares:
            if view == "insert":
                errors = np.sqrt(self.squared_errors(method, view).mean(axis=0))
                rows.append(
                    {
                        "fidelity_rmse": method,
                        **dict(zip(self.shares, map(float, errors), strict=True)),
                    }
                )
        return rows

    def squared_errors(self, method, view, figure="fidelity_mse"):
        """(N, K): one of FIGURES for every image and share of a view."""
        return self.squares[method, view][..., FIGURES.index(figure)]


def compare(
    target,
    batches,
    *,
    mask_functions,
    scores,
    rankings=None,
    predictions=None,
    shares=SHARES,
    views=CURVES,
    images=None,
    threshold=THRESHOLD,
    progress=None,
    store=None,
):
    """Shows N the top share of each mask's and each control's pixels, and all but that.

    insert: N(I * B_k), B_k the round(k*H*W) pixels of highest score (`masks.top_share_mask`).
    delete: N(I * (1 - B_k)). Equal scores are taken in reading order, which matters for a mask that
    is 0 or 1 nearly everywhere. prediction: a map that stands for N's output on every image.

    fidelity_mse is the mean squared distance from N(I) at N's output size; mse that from ground
    truth, N's output resized to the truth's size (bilinear, aligned corners). Both as in
    `evaluation.evaluate_masks`, in m^2, or for fidelity_mse in the square of `alignment.unit`.
    Near, middle and far are thirds of an image's pixels: by N(I) for fidelity, by the truth, where
    there is some, for mse. A pixel at the border between two thirds counts to the nearer; NaN where
    a third is empty or an image has no truth.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      batches: iterable of {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres}; "depth"
        may be absent, or without any valid pixel.
      mask_functions: dict of name -> function of (image, first) -> (B, H, W, 1) in [0, 1]: the
        masks of a normalised image batch whose first image has the place `first` among all.
      scores: the same for controls, any number, as `controls.control_scores` gives it.
      rankings: mask -> the same function of the scores that order its pixels, such as
        `ranking.ranking`; the pixels of a mask that has none are ordered by its grey levels.
      predictions: dict of name -> (h, w, 1) map of N's output size, such as the mean map.
      shares: rising, in (0, 1).
      views: "insert", "delete" or both.
      images: (N,) the images' places in their data set; None: 0, 1, ...
      threshold: the grey level up to which the binarised mask removes a pixel.
      progress: called with the number of images that N has just been shown.
      store: function of (number of a batch, function without arguments that measures it) -> the
        measured arrays, a dict of str -> array with an image to each row. It may return arrays of
        an earlier run and not measure at all.
    Returns:
      Comparison.
    Raises:
      InputError: no image, or scores or an output that is not finite.
    Source: Hu et al. 2019 (ICCV), figure 5; Petsiuk et al. 2018 (RISE) for deletion.
    """
    target = as_target(target)
    measure = Measurement(
        target,
        mask_functions,
        scores,
        shares,
        threshold,
        rankings=rankings or {},
        predictions=predictions or {},
        views=views,
    )
    parts, count = [], 0
    for number, batch in enumerate(batches):
        size = len(batch["image"])
        measure_batch = functools.partial(measure, batch, count, progress or (lambda size: None))
        parts.append(store(number, measure_batch) if store else measure_batch())
        count += size
    if not count:
        raise InputError("the data set to compare on holds no image")
    measured = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return Comparison(
        shares=tuple(shares),
        squares=_by_method_and_view(measured),
        mask_shares={name: measured[f"kept/{name}"] for name in mask_functions},
        entropy={name: measured[f"entropy/{name}"] for name in mask_functions},
        images=np.arange(count) if images is None else np.asarray(images),
        threshold=float(threshold),
        depth_kind=target.depth_kind,
        removal=target.removal,
    )


def forward_passes(masks_count, scores_count, shares=SHARES, views=CURVES):
    """Number of times that `compare` runs N on each image."""
    return 3 + 2 * masks_count + len(views) * len(shares) * (masks_count + scores_count)


def _by_method_and_view(measured):
    """The squared errors out of what `Measurement` returns, by (method, view)."""
    names = [key.split("/", 1) for key in measured]
    return {(name, view): measured[f"{view}/{name}"] for view, name in names if view in VIEWS}
