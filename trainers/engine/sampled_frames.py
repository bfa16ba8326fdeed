"""Sampled frames: some frames of a split, evenly spread, without those that cannot be read."""

import dataclasses
import os

import tensorflow as tf

from tfdepthviz.data import pipeline
from tfdepthviz.data.frame_files import FrameFiles, OutsideError
from tfdepthviz.utils.errors import InputError
from trainers.engine.progress import bar
from trainers.engine.source import counted


@dataclasses.dataclass(frozen=True)
class SampledFrames:
    """Frames of one split.

    Attributes:
      split: "train" or "validation".
      total: frames of the whole split.
      note: which frames the split holds and what is left out, in words; may be "".
      names: of the frames: paths relative to the data set's folder, or else numbers.
      raw: their raw examples.
      problems: a line for each frame that cannot be read, which is in neither of them.
    """

    split: str
    total: int
    note: str
    names: list[str]
    raw: tf.data.Dataset
    problems: list[str]

    def examples(self, places):
        """Raw examples of the frames at these places, in ascending order."""
        return pipeline.chosen(self.raw, sorted(set(places)))


def sample(source, split, count):
    """At most `count` frames of a split of a Source, as SampledFrames."""
    frames = source.open(split)
    total, note = len(frames), getattr(frames, "note", "") or f"{len(frames)} frames"
    if not isinstance(frames, FrameFiles):
        raw, places = pipeline.evenly(frames.examples(), count)
        names = [f"frame {place}" for place in places]
        return SampledFrames(split, total, note, names, source.limited(raw), [])
    few = frames.evenly(count)
    shown = bar(desc=f"reading {split} files", total=len(few), unit="frame")
    try:
        with shown:
            usable, problems = few.usable(lambda items: counted(items, shown))
        if not len(usable):
            raise InputError(f"none of {len(few)} {split} frames can be read; {problems[0]}")
        raw = usable.examples()
    except OutsideError as error:
        raise InputError(f"{error}; where that is meant, give --allow_outside_paths") from error
    folder = source.data.data_dir or os.path.dirname(usable.images[0])
    names = [os.path.relpath(path, folder) for path in usable.images]
    return SampledFrames(split, total, note, names, source.limited(raw), problems)
