"""Answers of exported models: what the methods of `calls.MaskSignatures` return.

Notebooks draw them.
"""

import dataclasses

import numpy as np

from tfdepthviz.utils.shown import Shown


@dataclasses.dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """The mask and the depth of one image; maps are (h, w) float32.

    Attributes:
      mask: M = G(I) in [0, 1]: how much N needs the pixel.
      binary_mask: M' = [M > threshold], 0 or 1.
      depth: N(I), in the unit of N (the card's `depth_kind`).
      masked_depth: N(I * M), in the same unit.
      sparseness: share of ones in M'.
      covered: share of the image in the centred window of N's aspect ratio, which is all that N and
        G see; 1 for an image of that ratio, NaN for a model from before it was given.
    """

    mask: np.ndarray
    binary_mask: np.ndarray
    depth: np.ndarray
    masked_depth: np.ndarray
    sparseness: float
    covered: float = float("nan")

    maps = ("mask", "binary_mask", "depth", "masked_depth")


@dataclasses.dataclass(frozen=True, repr=False)
class Cut(Shown):
    """The depth that N sees from one binary mask; maps are (H, W) float32, N's input size.

    Attributes:
      binary_mask: M', 0 or 1: [M > threshold], or a share of the pixels with the highest scores.
      binary_depth: N(I * M'), in the unit of N.
      sparseness: share of ones in M'.
      fidelity_rmse: RMSE of N(I * M') against N(I), in the unit of N.
      covered: as of `Explanation`.
    """

    binary_mask: np.ndarray
    binary_depth: np.ndarray
    sparseness: float
    fidelity_rmse: float
    covered: float = float("nan")

    maps = ("binary_mask", "binary_depth")


@dataclasses.dataclass(frozen=True, repr=False)
class RegionAnswer(Shown):
    """What N's depth at one place of an image stands on; maps are (H, W) float32, N's input size.

    Depth is in the unit of N. Numbers are means over the place, and root mean squares; where N's
    output has no unit they are in standard deviations of N(I), after alignment.

    Attributes:
      binary_mask: M', 0 or 1: the pixels that suffice for N's depth at the place.
      kept_depth: N(I * M').
      deleted_depth: N(I * (1 - M')), from all other pixels.
      region_depth, region_kept_depth, region_deleted_depth: at the place, of N(I), N(I * M') and
        N(I * (1 - M')).
      region_kept_rmse, region_deleted_rmse: distance of the last two from N(I) at the place.
      outside: share of M' that lies outside of the place: context.
      covered: as of `Explanation`.
    """

    binary_mask: np.ndarray
    kept_depth: np.ndarray
    deleted_depth: np.ndarray
    region_depth: float
    region_kept_depth: float
    region_deleted_depth: float
    region_kept_rmse: float
    region_deleted_rmse: float
    outside: float
    covered: float

    maps = ("binary_mask", "kept_depth", "deleted_depth")


# Names of the outputs that each answer needs.
EXPLANATION, CUT = (
    tuple(field.name for field in dataclasses.fields(kind) if field.name != "covered")
    for kind in (Explanation, Cut)
)
REGION = tuple(field.name for field in dataclasses.fields(RegionAnswer))
