"""Evaluation of a mask generator: N on masked images, and on as many pixels of controls."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz import masks, metrics
from tfdepthviz.evaluation.controls import (
    RANDOM_SEEDS,
    blurred_edges,
    random_blocks,
    random_pixels,
    sobel_edges,
)
from tfdepthviz.evaluation.ranking import ranking
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.models.target import as_target
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled

TRUTH_COLUMNS = ("rmse", "mae", "rel", "log10", "delta1", "delta2", "delta3")
COLUMNS = (*TRUTH_COLUMNS, "fidelity_rmse", "sparseness")
CONTROL_ROWS = ("sobel", "blurred_edges", "random", "random_blocks", "untrained", "mean_map")
ROWS = ("image", "mask", "binary_mask", *CONTROL_ROWS)


@dataclasses.dataclass(frozen=True, repr=False)
class Evaluation:
    """The result of `evaluate_masks`. Notebooks show it as a table.

    Attributes:
      rows: one dict for each way of showing N the images: "row" (out of ROWS) and the COLUMNS, of
        the whole set. rmse and mae in metres, NaN where there is no ground truth; fidelity_rmse in
        `alignment.unit`.
      per_image: one dict for each image and row: "image" (its place in the set), "row", COLUMNS.
      images: number of images.
      images_with_truth: number of images with at least one pixel of ground truth.
      threshold: the grey level up to which the binarised mask removes a pixel.
      random_seeds: the seeds that the rows "random" and "random_blocks" are the mean of.
      depth_kind: what N's output means, one of `alignment.KINDS`.
      mask_entropy: bits a pixel that M leaves open, mean over the images (`metrics.entropy`); NaN
        where N was rated alone.
      removal: what N saw of a removed pixel, out of `removal.REMOVALS`.
    """

    rows: tuple
    per_image: tuple
    images: int
    images_with_truth: int
    threshold: float
    random_seeds: tuple
    depth_kind: str = "metric"
    mask_entropy: float = math.nan
    removal: str = "mean"

    def __repr__(self):
        return f"Evaluation({self.images} images: {', '.join(row['row'] for row in self.rows)})"

    def _repr_html_(self):
        """The rows as a table, which notebooks draw."""
        lines = [("row", *COLUMNS)]
        for row in self.rows:
            values = (row[column] for column in COLUMNS)
            lines.append((row["row"], *("" if math.isnan(v) else f"{v:.3f}" for v in values)))
        cells = ["".join(f"<td>{cell}</td>" for cell in line) for line in lines]
        return "<table>" + "".join(f"<tr>{line}</tr>" for line in cells) + "</table>"

    @property
    def binarisation_gap(self):
        """fidelity_rmse of M' minus that of M, each at its own sparseness; NaN without a mask.

        Far above 0, the grey levels carry depth that the choice of pixels does not.
        """
        rows = {row["row"]: row["fidelity_rmse"] for row in self.rows}
        return rows.get("binary_mask", math.nan) - rows.get("mask", math.nan)


def evaluate_masks(
    target,
    mask_net,
    batches,
    *,
    threshold=THRESHOLD,
    random_seeds=RANDOM_SEEDS,
    untrained=None,
    mean_map=None,
    progress=None,
):
    """Rates N on whole images, on masked ones, and on as many pixels of each control.

    image: N(I). mask: N(I*M), M = G(I). binary_mask: N(I*M'), M' = [M > threshold]. sobel: N(I*S),
    S the strongest Sobel edges of the image. blurred_edges: edges averaged over 5x5 pixels. random,
    random_blocks: random pixels and square blocks. untrained: the top pixels of G before training.
    In each image these controls keep exactly as many pixels as M'. Of several seeds a row is the
    mean. mean_map: a map that stands for N's output, no pixel being shown; its sparseness is 0.

    Every row is rated against ground truth, N's output being resized to the truth's size (bilinear,
    aligned corners), and by fidelity_rmse, its distance from N(I) at N's output size. Over the set,
    rmse and fidelity_rmse are the root of the mean over images of the mean squared error.

    Where N's output has no unit, scale and shift are fitted first, image by image: errors against
    ground truth are then in metres (`alignment.in_metres`), and fidelity_rmse is in standard
    deviations of N(I) (`alignment.comparable`).

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      mask_net: G, normalised image -> (B, H, W, 1) in [0, 1]; None rates N alone.
      batches: iterable of {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres}. The
        last batch may be smaller; "depth" may be absent, or without any valid pixel. A batch may
        also hold "mask" (B, H, W, 1), its own masks, which G would give otherwise, and "teacher"
        (B, h, w, 1), N(I), which saves one pass of N.
      threshold: the grey level up to which a pixel is removed.
      random_seeds: ints, one set of random masks each.
      untrained: G as it was before training, for the row "untrained"; None leaves it out.
      mean_map: (h, w, 1) of `mean_maps.mean_map`, for the row "mean_map"; None leaves it out.
      progress: wraps the iterable, for instance `tqdm.tqdm`.
    Returns:
      Evaluation.
    Raises:
      InputError: no image, or an output that is not finite.
    Source: Hu et al. 2019 (ICCV), tables 1 and 2 and figure 5. Differs: the controls other
      than edges are ours.

        result = evaluate_masks(target, mask_net, batches)
        print(format_table(result))
    """
    target = as_target(target)
    predict = compiled(lambda image: target.net(image, training=False))
    find_mask = compiled(lambda image: mask_net(image, training=False))
    rank_untrained = ranking(untrained) if untrained is not None else None
    # (row, seed) -> figures of each batch. Only random rows have more than one seed.
    collected = {}
    entropies = []
    images = 0
    for batch in progress(batches) if progress else batches:
        image = tf.convert_to_tensor(batch["image"])
        shown = {("image", 0): None}
        if "mask" in batch or mask_net is not None:
            mask = batch["mask"] if "mask" in batch else find_mask(image)
            shown |= _masks(image, mask, threshold, random_seeds, images, rank_untrained)
            entropies.append(keras.ops.convert_to_numpy(metrics.entropy(mask)))
        full = batch["teacher"] if "teacher" in batch else predict(image)
        if mean_map is not None and len(shown) > 1:
            shown["mean_map", 0] = tf.zeros((*image.shape[:3], 1))
        for key, mask in shown.items():
            if key[0] == "mean_map":
                y = tf.repeat(tf.cast(mean_map, tf.float32)[None], len(image), axis=0)
            else:
                y = full if mask is None else predict(target.shown(image, mask))
            figures = _rate(target, batch.get("depth"), full, y, mask, threshold)
            _check_finite(figures["fidelity_mse"], key[0], images)
            collected.setdefault(key, []).append(figures)
        images += image.shape[0]
    if not images:
        raise InputError("the data set to evaluate holds no image")
    by_row = _by_row(collected)
    return Evaluation(
        rows=tuple(_set_row(row, seeds) for row, seeds in by_row.items()),
        per_image=tuple(_image_rows(by_row, images)),
        images=images,
        images_with_truth=int((by_row["image"][0]["valid"] > 0).sum()),
        threshold=float(threshold),
        random_seeds=tuple(random_seeds),
        depth_kind=target.depth_kind,
        mask_entropy=float(np.concatenate(entropies).mean()) if entropies else math.nan,
        removal=target.removal,
    )


def evaluate_depth(target, batches, *, progress=None):
    """N alone against ground truth: `evaluate_masks` without a mask, its one row being "image"."""
    return evaluate_masks(target, None, batches, progress=progress)


def _masks(image, mask, threshold, seeds, first, rank_untrained):
    """(row, seed) -> mask of a batch, for every row that shows N a part of the image."""
    share = metrics.sparseness(mask, threshold)
    scores = {("sobel", 0): sobel_edges(image), ("blurred_edges", 0): blurred_edges(image)}
    for seed in seeds:
        scores["random", seed] = random_pixels(image.shape, seed, first)
        scores["random_blocks", seed] = random_blocks(image.shape, seed, first)
    if rank_untrained:
        scores["untrained", 0] = rank_untrained(image)
    return {
        ("mask", 0): mask,
        ("binary_mask", 0): masks.binarise(mask, threshold),
        **{key: masks.top_share_mask(values, share) for key, values in scores.items()},
    }


def _rate(target, truth, full, y, mask, threshold):
    """Figures of one batch, each a (B,) array."""
    if truth is None:
        # All missing: the figures against truth come out as they do for a data set without any.
        truth = tf.zeros_like(y)
    resized = aligned_resize(y, truth.shape[1:3])
    figures = {
        **metrics.depth_errors(truth, target.in_metres(truth, resized)),
        "fidelity_mse": metrics.fidelity_mse(*target.comparable(full, y)),
        "sparseness": tf.ones(y.shape[0]) if mask is None else metrics.sparseness(mask, threshold),
    }
    return {name: keras.ops.convert_to_numpy(value) for name, value in figures.items()}


def _check_finite(values, row, first):
    if not np.isfinite(values).all():
        image = first + int(np.argmin(np.isfinite(values)))
        raise InputError(f"depth_net's output is not finite: row {row!r}, image {image} of the set")


def _by_row(collected):
    """Row -> the figures (N,) of each of its seeds, rows in the order of ROWS."""
    by_row = {}
    for row, seed in sorted(collected, key=lambda key: ROWS.index(key[0])):
        batches = collected[row, seed]
        figures = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        by_row.setdefault(row, []).append(figures)
    return by_row


def _set_row(row, seeds):
    """One row of the table: each seed's figures over the set, then their mean."""
    rated = [
        {
            **metrics.set_level(figures),
            "fidelity_rmse": float(np.sqrt(figures["fidelity_mse"].astype("float64").mean())),
            "sparseness": float(figures["sparseness"].astype("float64").mean()),
        }
        for figures in seeds
    ]
    return {"row": row, **{c: float(np.mean([figures[c] for figures in rated])) for c in COLUMNS}}


def _image_rows(by_row, images):
    for image in range(images):
        for row, seeds in by_row.items():
            alone = [{k: v[image : image + 1] for k, v in figures.items()} for figures in seeds]
            yield {"image": image, **_set_row(row, alone)}
