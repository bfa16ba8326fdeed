"""Check of a depth kind: whether N's output grows with measured depth, as the kind says."""

import dataclasses

import numpy as np

from tfdepthviz.utils.arrays import valid_depth

# Correlation with measured depth beyond which its sign means something.
CLEAR = 0.5
# A metric network whose depth is so many times too large or too small has another unit.
TIMES = 10.0


@dataclasses.dataclass(frozen=True)
class KindCheck:
    """N's output against measured depth.

    Attributes:
      kind: what N's output is said to mean, one of `alignment.KINDS`.
      correlation: rank correlation of output and depth, the median over frames.
      ratio: output over depth, the median over frames of the medians.
      frames: number of frames.
    """

    kind: str
    correlation: float
    ratio: float
    frames: int

    def doubt(self) -> str | None:
        """Why the kind seems wrong, in words; None if it does not."""
        falls = self.correlation < -CLEAR
        rises = self.correlation > CLEAR
        measured = f"rank correlation {self.correlation:+.2f}, median of {self.frames} frames"
        if falls and self.kind != "inverse":
            return (
                f"N's output falls where measured depth grows ({measured}), as inverse depth does"
            )
        if rises and self.kind == "inverse":
            return f"N's output grows with measured depth ({measured}), as inverse depth does not"
        if self.kind == "metric" and rises and not 1 / TIMES <= self.ratio <= TIMES:
            return (
                f"N's output is {self.ratio:.3g} times the measured depth (median of {self.frames} "
                "frames), so it seems to be in another unit than metres"
            )
        return None


def check_kind_of_output(target, batch) -> KindCheck | None:
    """Compares N's output with measured depth.

    Args:
      target: models.target.DepthTarget.
      batch: {"image": (B, H, W, 3) float32, normalised, "depth": (B, h, w, 1) metres} with h, w the
        size of N's output.
    Returns:
      KindCheck; None if no frame has measured depth.
    """
    from scipy import stats  # takes seconds, which the help of a command would wait for

    # `predict_on_batch` would wait for the other machines of a cluster.
    output = np.asarray(target.net(batch["image"], training=False), "float64")
    correlations, ratios = [], []
    for estimate, truth in zip(output, np.asarray(batch["depth"]), strict=True):
        valid = valid_depth(truth)
        if not valid.any():
            continue
        estimate, truth = estimate[valid], truth[valid]
        if np.ptp(estimate) and np.ptp(truth):
            correlations.append(stats.spearmanr(estimate, truth).statistic)
            ratios.append(np.median(estimate) / np.median(truth))
    if not correlations:
        return None
    return KindCheck(
        target.depth_kind, float(np.median(correlations)), float(np.median(ratios)), len(ratios)
    )
