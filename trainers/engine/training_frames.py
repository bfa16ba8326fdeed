"""Training frames of a command that trains nothing, and N's mean output over them, the mean map."""

import dataclasses

import numpy as np

from tfdepthviz import evaluation
from tfdepthviz.data import pipeline
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.utils.errors import InputError
from trainers.engine.progress import bar
from trainers.engine.source import FAILED_READS

# Frames of the mean map, at most.
FRAMES = 200


def mean_map_of(source, target, batch_size):
    """The mean map over at most 200 training frames, evenly spread, and a sentence about it.

    Args:
      source: Source of the command.
      target: N, a DepthTarget.
      batch_size: images of a batch.
    Returns:
      (map (h, w, 1), sentence); (None, why there is none) where no training frame can be read.
    """
    try:
        frames, total, problems = _frames(source)
        size = target.input_size
        batches = pipeline.evaluation_batches(
            frames, input_size=size, depth_size=size, batch_size=batch_size
        )
        mean_map = evaluation.mean_map(target, bar(batches, desc="mean map", unit="batch"))
    except (InputError, *FAILED_READS) as error:
        first = str(error).partition("\n")[0]
        return None, f"The mean map is left out, because no training frames can be read: {first}"
    sentence = f"The mean map is N's mean over {len(frames)} of {total} training frames."
    if problems:
        sentence += f" {len(problems)} more could not be read."
    return mean_map, sentence


def training_images(source, target, batch_size):
    """At most 200 training frames, evenly spread, as N sees them, and a sentence about them.

    Args:
      source, target, batch_size: as for `mean_map_of`.
    Returns:
      ((T, H, W, 3) float32, normalised, sentence); (None, why there are none) where no training
      frame can be read.
    """
    try:
        frames, total, _ = _frames(source)
        size = target.input_size
        batches = pipeline.evaluation_batches(
            frames, input_size=size, depth_size=size, batch_size=batch_size
        )
        images = np.concatenate([batch["image"].numpy() for batch in batches])
    except (InputError, *FAILED_READS) as error:
        first = str(error).partition("\n")[0]
        return None, f"No training frames can be read, so tests learn from audited ones: {first}"
    return images, (
        f"The mean map and the readers of masks learn from {len(images)} of {total} training "
        "frames."
    )


def _frames(source):
    """Raw examples of training frames, the number of training frames, and what cannot be read."""
    frames = source.open("train")
    total = len(frames)
    if not isinstance(frames, FrameFiles):
        return pipeline.evenly(frames.examples(), FRAMES)[0], total, []
    count = min(FRAMES, total)
    images = [frames.images[(2 * i + 1) * total // (2 * count)] for i in range(count)]
    # Nothing but the images is needed; only files that are used are opened.
    chosen, problems = dataclasses.replace(frames, images=images, depths=None).usable()
    return chosen.examples(), total, problems
