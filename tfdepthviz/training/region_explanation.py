"""Questions about a place: which pixels does N need for its depth in one region of an image?"""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from tfdepthviz import masks
from tfdepthviz.data.transforms import denormalise
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.models.scores import scores_net
from tfdepthviz.training import regions
from tfdepthviz.training.region_search import RegionSearch
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled
from tfdepthviz.utils.shown import Shown

# Regions that N takes at once.
BATCH = 4
# Names of the masks that answer: found by a search, or by a network of `models.region_net`.
SEARCHED, NETWORK = "searched", "network"
# Masks of as many pixels that need no search.
CONTROLS = ("nearest_edges", "nearest", "random_areas", "random")
COLUMNS = (
    *("mask", "share", "pixels", "depth", "kept_depth", "deleted_depth", "kept_rmse"),
    *("deleted_rmse", "outside", "iou", "iou_by_chance"),
)


@dataclasses.dataclass(frozen=True, repr=False)
class RegionExplanation(Shown):
    """What N's depth in one region of one image stands on. Notebooks draw it.

    Depth maps are those of `DepthTarget.comparable`: in metres, or where N's output has no unit in
    standard deviations of N(I), aligned to it over the whole image.

    Attributes:
      region: (h, w) float32, weights of N's output pixels, the largest being 1.
      unit: of depth, "m" or "σ".
      shares: of the pixels that masks keep.
      scores: (H, W) float32, the ranking; high comes first.
      masks: dict of name, SEARCHED or NETWORK and CONTROLS -> (S, H, W) float32, 0 and 1, S shares.
      depth: (h, w) float32, N(I).
      kept_depth, deleted_depth: dict of name -> (S, h, w) float32, N(I * M) and N(I * (1 - M)).
      rows: a dict with the keys COLUMNS for each name and share. depth, kept_depth, deleted_depth:
        mean depth in the region of N(I), N(I * M), N(I * (1 - M)); kept_rmse, deleted_rmse: their
        root mean squared distance from N(I) there; outside: share of the kept pixels that lie
        outside of the region (context); iou: mean IoU of two restarts' masks, None of others and
        with one restart; iou_by_chance: that of two random masks.
      blank_rmse: distance in the region with nothing shown.
      steps: of the search, for each restart.
    """

    region: np.ndarray
    unit: str
    shares: tuple
    scores: np.ndarray
    masks: dict
    depth: np.ndarray
    kept_depth: dict
    deleted_depth: dict
    rows: list
    blank_rmse: float
    steps: tuple

    maps = ("region", "masks", "depth", "kept_depth", "deleted_depth")

    @property
    def mask_name(self):
        """Name of the mask that answers, SEARCHED or NETWORK; all others are controls."""
        return self.rows[0]["mask"]

    def row(self, mask=None, share=None):
        """The row of a mask at a share; by default of the answer at the first share."""
        mask = self.mask_name if mask is None else mask
        share = self.shares[0] if share is None else share
        return next(r for r in self.rows if r["mask"] == mask and np.isclose(r["share"], share))


def explain_region(target, image, region, keep=(0.05, 0.2), **options):
    """Which pixels does N need for its depth in a region?

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      image: (H, W, 3) float32, normalised, of the size that N takes.
      region: (h, w) weights of at least 0 over the whole image, at any resolution; see `regions`.
      keep: shares of the pixels that N may see, in (0, 1).
      options: see `explain_regions`.
    Returns:
      RegionExplanation.
    Raises:
      InputError: as `explain_regions`.
    Example:
      image = next(iter(batches))["image"][0]
      place = regions.point(image.shape[:2], x=120, y=80, radius=6)
      explanation = explain_region(target, image, place, keep=(0.05, 0.2))
      explanation.row(share=0.05)["kept_rmse"]  # metres from N(I) in the region
    """
    image = tf.convert_to_tensor(image, tf.float32)
    if image.shape.rank != 3:
        raise InputError(f"image must be (H, W, 3). Received: shape {tuple(image.shape)}")
    return explain_regions(target, image[tf.newaxis], [region], keep, **options)[0]


def explain_regions(
    target, images, places, keep=(0.05, 0.2), *, search=None, seed=0, step=None, region_net=None
):
    """Answers of `explain_region` for several images or regions, in batches.

    Args:
      target, keep: as for `explain_region`.
      images: (B, H, W, 3) float32, normalised; of one image, all regions are its own.
      places: a region for each image, or of one image any number.
      search: training.Search; None: `region_search.region_search`.
      seed: of the random pixels; `Search.seed` fixes the starts.
      step: called with the number of steps done, see `RegionSearch`; there are
        search.restarts * search.steps for each region.
      region_net: network of `models.region_net` for this N, which answers in one pass instead of
        the search.
    Returns:
      list of RegionExplanation, one for each region.
    Raises:
      InputError: images of another size than N takes, an impossible region or share, another
        number of regions, or an output of N that is not finite.
    """
    searched = RegionSearch(target, keep, search)
    target = searched.target
    images = tf.convert_to_tensor(images, tf.float32)
    if tuple(images.shape[1:]) != (*target.input_size, 3):
        raise InputError(
            f"images must be (B, {target.input_size[0]}, {target.input_size[1]}, 3), the size that "
            f"N takes. Received: shape {tuple(images.shape)}"
        )
    weights = [regions.resized(place, target.output_size) for place in places]
    if len(images) == 1:
        images = tf.repeat(images, len(weights), axis=0)
    if len(images) != len(weights):
        raise InputError(
            f"there must be a region for each of {len(images)} images. Received: {len(weights)}"
        )
    ranked = searched if region_net is None else _ranked_by(region_net)
    name = SEARCHED if region_net is None else NETWORK
    explanations = []
    for first in range(0, len(weights), BATCH):
        part = slice(first, first + BATCH)
        region = tf.constant(np.stack(weights[part])[..., np.newaxis])
        result = ranked(images[part], region, first=first, step=step)
        for number, place in enumerate(places[part]):
            scores, distances, steps = (values[:, number] for values in result)
            explanations.append(
                _explanation(
                    searched,
                    name,
                    images[first + number],
                    place,
                    scores[..., 0],
                    distances.argmin(),
                    steps,
                    (seed, first + number),
                )
            )
    return explanations


def _ranked_by(region_net):
    """A network as a function like `RegionSearch`, of one restart and no steps."""
    net = compiled(scores_net(region_net), autograph=False)

    def ranked(image, region, **_):
        scores = net([image, region], training=False).numpy()[np.newaxis]
        return scores, np.zeros(scores.shape[:2]), np.zeros(scores.shape[:2], int)

    return ranked


def nearest_pixels(region, size):
    """Scores of the pixels nearest to a region: minus the distance, (H, W) float32."""
    return -regions.distance(region, size)


def nearest_edges(image, region, share):
    """Mask of edge pixels near a region: the nearest half of the strongest 2 * share.

    Args:
      image: (H, W, 3) float32, normalised.
      region: (h, w) weights.
      share: of the pixels to keep.
    Returns:
      (H, W) float32, 0 and 1, exactly round(share*H*W) ones.
    """
    edges = masks.edge_strength(denormalise(image)[tf.newaxis])
    strong = _top(edges[0, ..., 0], min(1.0, 2 * share))
    near = nearest_pixels(region, image.shape[:2])
    # All strong edges come before all others, which lie at most a diagonal away.
    return _top(np.where(strong > 0, near + 2 * sum(image.shape[:2]), near), share)


def _explanation(searched, name, image, place, scores, best, steps, seed):
    """The answer for one region from the scores (R, H, W) of its restarts."""
    target = searched.target
    weights = regions.resized(place, target.output_size)
    kept = _masks(searched, name, image, place, scores[best], seed)
    full, blank, depths = _depths(searched, image, kept)
    inside = regions.distance(place, image.shape[:2]) == 0
    rows = []
    for method, number in itertools.product(kept, range(len(searched.keep))):
        mask, share = kept[method][number], searched.keep[number]
        row = {"mask": method, "share": share, "pixels": int(mask.sum())}
        row["depth"], _ = _figures(weights, full, full)
        for what, maps in depths.items():
            mean, rmse = _figures(weights, full, maps[method][number])
            row |= {f"{what}_depth": mean, f"{what}_rmse": rmse}
        row["outside"] = float((mask * ~inside).sum() / max(mask.sum(), 1))
        row["iou"] = _agreement(scores, share) if method == name else None
        row["iou_by_chance"] = share / (2 - share)
        rows.append({column: row[column] for column in COLUMNS})
    return RegionExplanation(
        region=weights,
        unit=target.unit,
        shares=searched.keep,
        scores=scores[best],
        masks=kept,
        depth=full,
        kept_depth=depths["kept"],
        deleted_depth=depths["deleted"],
        rows=rows,
        blank_rmse=_figures(weights, full, blank)[1],
        steps=tuple(int(number) for number in steps),
    )


def _masks(searched, name, image, place, scores, seed):
    """Dict of name -> (S, H, W): the masks of `scores` and the controls."""
    size, number = image.shape[:2], seed[1]
    # Random areas are those that one more restart would begin with.
    search = searched.search
    areas = aligned_resize(search.first_logits(size, search.restarts, [number]), size)
    ranked = {
        name: scores,
        "nearest": nearest_pixels(place, size),
        "random_areas": np.asarray(areas)[0, ..., 0],
        "random": np.random.default_rng(seed).random(size),
    }
    kept = {one: [_top(scores, share) for share in searched.keep] for one, scores in ranked.items()}
    kept["nearest_edges"] = [nearest_edges(image, place, share) for share in searched.keep]
    return {one: np.stack(kept[one]) for one in (name, *CONTROLS)}


def _depths(searched, image, kept):
    """N's depth, (h, w): of the image, of nothing, and by name of each mask kept and deleted."""
    target = searched.target
    y_full = searched.predict(image[tf.newaxis])

    def depths_of(some):
        """(M, H, W) masks -> (M, h, w)."""
        maps = []
        for first in range(0, len(some), BATCH):
            mask = tf.constant(some[first : first + BATCH, ..., np.newaxis])
            shown = target.shown(tf.repeat(image[tf.newaxis], len(mask), axis=0), mask)
            full = tf.repeat(y_full, len(mask), axis=0)
            maps.append(target.comparable(full, searched.predict(shown))[1][..., 0].numpy())
        return np.concatenate(maps)

    def by_name(some):
        depths = depths_of(np.concatenate(list(some.values())))
        return dict(zip(some, np.split(depths, len(some)), strict=True))

    full = target.comparable(y_full, y_full)[0][0, ..., 0].numpy()
    (blank,) = depths_of(np.zeros((1, *image.shape[:2]), "float32"))
    deleted = {name: 1 - mask for name, mask in kept.items()}
    return full, blank, {"kept": by_name(kept), "deleted": by_name(deleted)}


def _figures(weights, full, depth):
    """Mean depth in the region, and root mean squared distance from N(I) there."""
    weights = weights.astype("float64") / weights.sum(dtype="float64")
    error = depth.astype("float64") - full
    return float((weights * depth).sum()), float(np.sqrt((weights * error**2).sum()))


def _agreement(scores, share):
    """Mean IoU of the masks of two restarts; None with one restart."""
    tops = [_top(score, share) > 0 for score in scores]
    ious = [(a & b).sum() / max((a | b).sum(), 1) for a, b in itertools.combinations(tops, 2)]
    return float(np.mean(ious)) if ious else None


def _top(scores, share):
    """`masks.top_share_mask` of one image, (H, W) float32."""
    scores = np.asarray(scores, "float32")[np.newaxis, ..., np.newaxis]
    return np.asarray(masks.top_share_mask(scores, [share]))[0, ..., 0]
