"""Depth kind: a warning where N's output contradicts --depth_kind on embedded frames."""

import sys

from tfdepthviz.data import pipeline, samples
from tfdepthviz.evaluation.kind_check import check_kind_of_output

FRAMES = 8


def warn_of_depth_kind(target):
    """Compares N's output with the measured depth of a few rooms.

    Args:
      target: N, a DepthTarget.
    """
    frames = samples.files("validation").evenly(FRAMES).examples()
    sizes = {"input_size": target.input_size, "depth_size": target.output_size}
    result = check_kind_of_output(target, pipeline.spread(frames, FRAMES, **sizes))
    if doubt := result and result.doubt():
        print(
            f"warning: --depth_kind={target.depth_kind} looks wrong on embedded frames: {doubt}",
            file=sys.stderr,
            flush=True,
        )
