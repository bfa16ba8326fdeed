"""Objective of a mask: equations (3), (4) and (5) of the paper.

    (3), (4)   L = l_dif(N(I), N(I * M)) + lambda * mean(M)         kind "preserve"
    (5)        L = -l_dif(N(I), N(I * M)) + lambda * mean(1 - M)    kind "delete"

    l_dif = l_depth + l_grad + l_normal, or the sum of other terms

In (3) M itself is searched for, image by image (`MaskOptimizer`). In (4) and (5) M is G(I), and L
is averaged over the images (`MaskTrainer`).
"""

import dataclasses

import tensorflow as tf

from tfdepthviz import losses
from tfdepthviz.metrics import alignment
from tfdepthviz.utils.errors import InputError

# l_dif as published.
TERMS = ("depth", "gradient", "normal")
OBJECTIVES = ("preserve", "delete")


@dataclasses.dataclass(frozen=True)
class Objective:
    """A loss of each image: the difference in depth, plus a price for the size of the mask.

    The price is lambda * mean(M), or lambda * mean(1 - M) to delete. With a share there is none:
    the masks are then binary and keep exactly that share.

    Attributes:
      kind: "preserve" keeps few pixels that give the same depth; "delete" removes few pixels
        without which the depth differs most.
      terms: names out of `losses.TERMS` that l_dif adds up.
      sparsity_weight: lambda, unless a method receives another.
      share: share of the pixels to keep, in (0, 1); None: lambda decides how many are kept.
    Raises:
      InputError: unknown kind or term, or a share outside of (0, 1).
    Source: Hu, Zhang, Okatani 2019 (ICCV), equations (3), (4), (5). Differs: a share is ours; Fong
      et al. 2019 (extremal perturbations) fix a mask's area by a penalty.

        objective = Objective("preserve", sparsity_weight=5.0)
        loss = objective.values(target, y_full, y_masked, mask)["loss"]
    """

    kind: str = "preserve"
    terms: tuple = TERMS
    sparsity_weight: float = 5.0
    share: float | None = None

    def __post_init__(self):
        check_objective(self.kind)
        losses.check_terms(self.terms)
        if self.share is not None and not 0 < self.share < 1:
            raise InputError(f"share must be in (0, 1). Received: {self.share}")

    def differences(self, target, y_full, y_masked):
        """Terms of l_dif between N(I) and N(I * M).

        Args:
          target: N, a DepthTarget. Where its output has no unit, the maps are compared up to scale
            and shift, in standard deviations of N(I).
          y_full, y_masked: (B, h, w, 1), N(I) and N(I * M).
        Returns:
          dict of "loss/<term>" -> (B,).
        """
        y_full, y_masked = target.comparable(y_full, y_masked, alignment.RIDGE)
        valid = losses.everywhere(y_full)
        return {f"loss/{term}": losses.TERMS[term](y_full, y_masked, valid) for term in self.terms}

    def loss(self, differences, mask, sparsity_weight=None):
        """L and its parts.

        Args:
          differences: the result of `differences`.
          mask: (B, H, W, 1), M.
          sparsity_weight: lambda, () or float; None: that of the objective.
        Returns:
          dict of "loss" (L), "loss/<term>" for each term of l_dif, and "mask/mean" -> (B,).
        """
        weight = self.sparsity_weight if sparsity_weight is None else sparsity_weight
        difference = losses.total(differences.values())
        if self.kind == "delete":
            difference = -difference
        return {
            "loss": losses.total([difference, *self._prices(mask, weight)]),
            **differences,
            "mask/mean": losses.sparsity_term(mask),
        }

    def values(self, target, y_full, y_masked, mask, sparsity_weight=None):
        """L and its parts from N's outputs: `loss` of `differences`."""
        return self.loss(self.differences(target, y_full, y_masked), mask, sparsity_weight)

    def _prices(self, mask, weight):
        """Addends of the price, each (B,)."""
        if self.share is not None:
            return []
        priced = losses.sparsity_term(mask if self.kind == "preserve" else 1.0 - mask)
        return [tf.cast(weight, priced.dtype) * priced]


def check_objective(objective):
    """Raises InputError unless `objective` is one of OBJECTIVES."""
    if objective not in OBJECTIVES:
        raise InputError(
            f"objective must be one of {', '.join(OBJECTIVES)}. Received: {objective!r}"
        )
    return objective
