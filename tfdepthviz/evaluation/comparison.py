"""Masks beside controls: what N makes of each one's top share of pixels, image by image."""

import csv
import dataclasses
import functools
import io
import math

import numpy as np
import tensorflow as tf

from tfdepthviz import masks, metrics
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.models.target import as_target
from tfdepthviz.utils.arrays import valid_depth
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole

# Shares of the pixels between nothing and the whole image, which are always measured, too.
SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.36, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BANDS = ("near", "middle", "far")
FIGURES = tuple(
    f"{figure}{band}"
    for figure in ("fidelity_mse", "mse")
    for band in ("", *map("_{}".format, BANDS))
)
# What N was shown.
VIEWS = ("image", "nothing", "insert", "delete", "mask", "binary_mask")
COLUMNS = ("image", "method", "view", "share", "entropy", *FIGURES)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` measured. N images, K shares, and the FIGURES of each in that order.

    Attributes:
      shares: K shares, rising.
      squares: (method, view) -> (N, K, 8) mean squared errors. "insert" shows the top share of the
        method's scores, "delete" all but that; ("", "image") and ("", "nothing") and the "mask" and
        "binary_mask" of each mask have K = 1.
      kept: mask -> (N,) share of the pixels above the threshold.
      entropy: mask -> (N,) bits a pixel, see `metrics.entropy`.
      images: (N,) the images' places in their data set.
      threshold: the grey level up to which the binarised mask removes a pixel.
      depth_kind: what N's output means, one of `alignment.KINDS`.
    """

    shares: tuple
    squares: dict
    kept: dict
    entropy: dict
    images: np.ndarray
    threshold: float
    depth_kind: str


def compare(
    target,
    batches,
    *,
    mask_functions,
    scores,
    shares=SHARES,
    images=None,
    threshold=0.025,
    progress=None,
    kept=None,
):
    """Shows N the top share of each mask's and each control's pixels, and all but that.

    insert: N(I * B_k), B_k the round(k*H*W) pixels of highest score (`masks.top_share_mask`);
    a mask's scores are its grey levels. delete: N(I * (1 - B_k)). Equal scores are taken in reading
    order, which matters for a mask that is 0 or 1 nearly everywhere.

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
      shares: rising, in (0, 1).
      images: (N,) the images' places in their data set; None: 0, 1, ...
      threshold: the grey level up to which the binarised mask removes a pixel.
      progress: called with the number of images that N has just been shown.
      kept: function of (number of a batch, function without arguments that measures it) -> what
        that returns, a dict of str -> array with an image to each row, or what was kept of it.
    Returns:
      Comparison.
    Raises:
      InputError: no image, or scores or an output that is not finite.
    Source: Hu et al. 2019 (ICCV), figure 5; Petsiuk et al. 2018 (RISE) for deletion.
    """
    target = as_target(target)
    measure = _Measurement(target, mask_functions, scores, shares, threshold)
    parts, count = [], 0
    for number, batch in enumerate(batches):
        size = len(batch["image"])
        of_batch = functools.partial(measure, batch, count, progress or (lambda size: None))
        parts.append(kept(number, of_batch) if kept else of_batch())
        count += size
    if not count:
        raise InputError("the data set to compare on holds no image")
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    shown = [key.split("/", 1) for key in joined]
    places = np.arange(count) if images is None else np.asarray(images)
    return Comparison(
        tuple(shares),
        {(name, view): joined[f"{view}/{name}"] for view, name in shown if view in VIEWS},
        {name: joined[f"kept/{name}"] for name in mask_functions},
        {name: joined[f"entropy/{name}"] for name in mask_functions},
        places,
        float(threshold),
        target.depth_kind,
    )


class _Measurement:
    """Function of a batch, the place of its first image, and progress -> arrays by view/name."""

    def __init__(self, target, mask_functions, scores, shares, threshold):
        self.predict = tf.function(lambda x: target.net(x, training=False), reduce_retracing=True)
        self.rate = _rater(target)
        self.target = target
        self.mask_functions, self.scores = mask_functions, scores
        self.shares, self.threshold = shares, threshold

    def __call__(self, batch, first, progress):
        image = tf.convert_to_tensor(batch["image"])
        full = self.predict(image).numpy()
        frame = (image, *_sides(self.target, full, batch.get("depth")))
        found = {}

        def show(name, view, shown):
            rows = []
            for mask in shown:
                rows.append(self.rate(*frame, mask).numpy())
                progress(len(image))
            found[f"{view}/{name}"] = rows = np.stack(rows, axis=1)
            _check_finite(rows[..., 0], f"depth_net's output for {(name, view)}", first)

        ones = tf.ones((*image.shape[:3], 1))
        show("", "image", [ones])
        show("", "nothing", [0 * ones])
        ranked = {}
        for name, find_mask in self.mask_functions.items():
            mask = tf.convert_to_tensor(find_mask(image, first))
            ranked[name] = mask.numpy()
            show(name, "mask", [mask])
            show(name, "binary_mask", [masks.binarise(mask, self.threshold)])
            found[f"kept/{name}"] = np.asarray(metrics.sparseness(mask, self.threshold))
            found[f"entropy/{name}"] = np.asarray(metrics.entropy(mask))
        ranked |= {name: score(image, first) for name, score in self.scores.items()}
        for name, values in ranked.items():
            _check_finite(values, f"scores {name!r}", first)
            top = _top(values)
            show(name, "insert", map(top, self.shares))
            show(name, "delete", (1 - top(k) for k in self.shares))
        return found


def views(masks_count, scores_count, shares=SHARES):
    """How often `compare` shows N each image."""
    return 3 + 2 * masks_count + 2 * len(shares) * (masks_count + scores_count)


def write_per_image(comparison, path):
    """Writes every figure of every image as CSV: COLUMNS, blank where there is none.

    share is the share k shown (insert) or removed (delete), that above the threshold for mask and
    binary_mask.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place, image in enumerate(comparison.images):
        for (method, view), values in comparison.squares.items():
            for share, figures in zip(
                _shares_of(comparison, method, view, place), values[place], strict=True
            ):
                bits = comparison.entropy[method][place] if view == "mask" else math.nan
                numbers = (share, bits, *figures)
                texts = ["" if math.isnan(n) else f"{n:.9g}" for n in numbers]
                writer.writerow([image, method, view, *texts])
    write_whole(path, stream.getvalue())


def _shares_of(comparison, method, view, place):
    if view in ("insert", "delete"):
        return comparison.shares
    return [{"image": 1.0, "nothing": 0.0}[view] if not method else comparison.kept[method][place]]


def _rater(target):
    """Function of one batch and a mask -> (B, 8) FIGURES, compiled once for all of them."""

    @tf.function(reduce_retracing=True)
    def rate(image, full, truth, full_band, truth_band, mask):
        y = target.net(masks.apply_mask(image, mask), training=False)
        first, second = target.comparable(full, y)
        metres = target.in_metres(truth, aligned_resize(y, truth.shape[1:3]))
        fidelity = _by_band(tf.square(second - first), full_band)
        return tf.concat([fidelity, _by_band(tf.square(metres - truth), truth_band)], axis=-1)

    return rate


def _by_band(squares, band):
    """(B, 4): the mean over all pixels of a band of at least 0, then over each band."""
    means = []
    for wanted in (band >= 0, *(tf.equal(band, b) for b in range(len(BANDS)))):
        # Holes of the truth may be NaN, which times 0 would not be 0.
        total = tf.reduce_sum(tf.where(wanted, squares, 0.0), axis=(1, 2, 3))
        means.append(total / tf.reduce_sum(tf.cast(wanted, tf.float32), axis=(1, 2, 3)))
    return tf.stack(means, axis=-1)


def _sides(target, full, truth):
    """What a batch is rated against: N(I), truth, and the bands of both."""
    # All missing: the figures against truth come out as they do for a data set without any.
    truth = np.zeros_like(full) if truth is None else np.asarray(truth, "float32")
    distance = -full if target.depth_kind == "inverse" else full
    return tuple(
        tf.convert_to_tensor(values)
        for values in (
            full,
            truth,
            bands(distance, np.isfinite(full)),
            bands(truth, valid_depth(truth)),
        )
    )


def bands(distance, valid):
    """Thirds of each image's pixels: 0 near, 1 middle, 2 far, -1 not valid.

    Args:
      distance: (B, h, w, 1) float, growing with distance.
      valid: (B, h, w, 1) bool.
    Returns:
      (B, h, w, 1) int32. With n valid pixels the borders are the values at places ceil(n/3) and
      ceil(2n/3) of the sorted ones; what equals a border is the nearer band's.
    """
    found = np.full(distance.shape, -1, "int32")
    for place, (values, there) in enumerate(zip(distance, valid, strict=True)):
        ordered = np.sort(values[there])
        if len(ordered):
            borders = [ordered[math.ceil(len(ordered) * third / 3) - 1] for third in (1, 2)]
            band = sum((values > border).astype("int32") for border in borders)
            found[place] = np.where(there, band, -1)
    return found


def _top(scores):
    """Function of k -> B_k, as `masks.top_share_mask` gives it but sorting only once."""
    flat = scores.reshape(len(scores), -1)
    order = np.argsort(-flat, axis=-1, kind="stable")
    rank = np.empty(order.shape, "int32")
    np.put_along_axis(rank, order, np.arange(flat.shape[1], dtype="int32")[None], axis=-1)
    rank = rank.reshape(scores.shape)

    def top(k):
        keep = np.round(np.float32(k) * np.float32(flat.shape[1]))
        return tf.convert_to_tensor((rank < keep).astype("float32"))

    return top


def _check_finite(values, what, first):
    there = np.isfinite(values).reshape(len(values), -1).all(axis=-1)
    if not there.all():
        raise InputError(f"{what} is not finite: image {first + int(np.argmin(there))} of the set")
