"""Source: the frames of the data set that --dataset names, opened and checked."""

import contextlib
import dataclasses
import functools
import inspect
import sys

import tensorflow as tf

from tfdepthviz.data import (
    depth_summary,
    examples,
    folder,
    kitti,
    nyu,
    nyu_labeled,
    nyu_tfds,
    pairs,
    pandaset,
    pipeline,
    samples,
    tum,
)
from tfdepthviz.data.frame_files import FrameFiles, OutsideError
from tfdepthviz.data.joined import JoinedFrames
from tfdepthviz.utils.errors import InputError
from trainers.engine.options import as_flags, flat
from trainers.engine.progress import bar

# Name -> function of the data set's flags and of the split, which returns FrameFiles, or an object
# with the same methods where frames are not files of their own.
DATASETS = {
    "samples": samples.files,
    "nyu": nyu.files,
    "nyu_labeled": nyu_labeled.frames,
    "nyu_tfds": nyu_tfds.frames,
    "kitti": kitti.files,
    "pandaset": pandaset.files,
    "tum": tum.files,
    "pairs": pairs.files,
    "folder": folder.files,
}
# Frames whose depth is looked at before anything is computed.
SAMPLE = 16
FAILED_READS = (
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.DataLossError,
    tf.errors.PermissionDeniedError,
    # fewer records than a data set states
    tf.errors.FailedPreconditionError,
)


class Source:
    """Frames of a data set, with errors that name the frame that cannot be read.

        source = Source(Data("nyu", "/data/nyu"))
        raw = source.load("train")
        with source.named_files():
            for example in raw: ...

    Args:
      data: trainers.cli.data.Data, the flags that choose a data set.
      add_samples: the embedded training frames belong to "train" as well.
    Raises:
      InputError: add_samples, and the data set is the embedded frames.
    """

    def __init__(self, data, add_samples=False):
        if add_samples and data.dataset == "samples":
            raise InputError("--add_samples: --dataset=samples has these frames already")
        self.data = data
        self.add_samples = add_samples
        self.loaded = []
        self.skipped = []
        # What was loaded, in words.
        self.sentences = []

    def load(self, split):
        """Raw examples of "train", "validation" or "all"; see `tfdepthviz.data.examples`."""
        frames = self.open(split)
        try:
            if self.data.skip_bad_examples:
                frames = self._usable(frames, split)
            if self.add_samples and split == "train":
                frames = JoinedFrames(frames, samples.files())
            self.loaded.append(frames)
            self._say(frames, split)
            raw = frames.examples()
        except OutsideError as error:
            raise InputError(f"{error}; where that is meant, give --allow_outside_paths") from error
        raw = self.limited(raw)
        if getattr(frames, "depths", "of its own") is not None:
            self._check_depth(frames, raw)
        return raw

    def frames_of_step(self, step, raw, *, batch_size, seed):
        """Names of the frames of one step's batch: paths of their images, else numbers.

        Args:
          step: number of the step in the run, from 0.
          raw: raw examples of "train", the split that was loaded first.
          batch_size, seed: as for `pipeline.training_batches`.
        """
        files = getattr(self.loaded[0], "images", None)
        places = pipeline.places_of_step(len(raw), batch_size=batch_size, seed=seed, step=step)
        return [files[place] if files else f"frame {place}" for place in places]

    def open(self, split):
        """Frames of one split, before any is read."""
        opener = DATASETS[self.data.dataset]
        parameters = inspect.signature(opener).parameters
        if split == "all" and parameters["split"].default is not None:
            raise InputError(f"--split=all: --dataset={self.data.dataset} has a split of its own")
        taken = {}
        for field in dataclasses.fields(self.data):
            name, value = field.name, getattr(self.data, field.name)
            if name in ("dataset", "max_depth", "skip_bad_examples", "allow_outside_paths"):
                continue
            if name not in parameters and value is not None:
                raise InputError(f"--{name}={value}: --dataset={self.data.dataset} takes none")
            if name in parameters and value is not None:
                taken[name] = value
            elif name in parameters and parameters[name].default is inspect.Parameter.empty:
                raise InputError(f"--{name}: --dataset={self.data.dataset} needs it")
        if "follow_links" in parameters:
            taken["follow_links"] = self.data.allow_outside_paths
        try:
            frames = opener(**taken, split=None if split == "all" else split)
        except InputError as error:
            raise InputError(as_flags(str(error), flat(self.data))) from error
        return dataclasses.replace(frames, folders=()) if self._goes_outside(frames) else frames

    def _say(self, frames, split):
        """One line: which frames these are, and what the folder holds besides."""
        note = getattr(frames, "note", "") or f"{len(frames)} frames"
        place = self.data.data_dir or self.data.dataset
        sentence = f"{split or 'all'} of {place}: {note}"
        print(sentence, flush=True)
        self.sentences.append(sentence)

    def _check_depth(self, frames, raw):
        """One line about the depth of a few frames, and a warning about a unit.

        Raises:
          InputError: no pixel of the whole set is valid.
        """
        few = frames.evenly(SAMPLE) if isinstance(frames, FrameFiles) else None
        sample = self.limited(few.examples()) if few else raw.take(SAMPLE)
        depths = _readable_depths(sample)
        summary = depth_summary.summarise(depths)
        if summary is None and depths and _all_missing(raw):
            raise InputError(
                f"--dataset={self.data.dataset}: no pixel of its {len(frames)} depth maps is "
                "valid; check what says which depth is missing (--max_depth, --missing_depth, "
                "--depth_scale)"
            )
        if summary is None:
            return
        print(f"depth: {summary.in_words()}", flush=True)
        if not summary.is_plausible:
            low, high = depth_summary.PLAUSIBLE
            print(
                f"warning: depth of rooms and streets lies from {low:g} to {high:g} m; check the "
                "unit (--depth_scale), and what counts as missing (--missing_depth, --max_depth)",
                file=sys.stderr,
                flush=True,
            )

    def limited(self, raw):
        """Raw examples in which depth beyond --max_depth is missing."""
        if self.data.max_depth is None:
            return raw
        limit = functools.partial(examples.without_far_depth, max_depth=self.data.max_depth)
        return raw.map(limit, tf.data.AUTOTUNE)

    def _goes_outside(self, frames):
        asked = self.data.allow_outside_paths
        if asked and not isinstance(frames, FrameFiles):
            raise InputError(f"--allow_outside_paths: --dataset={self.data.dataset} names no files")
        return asked

    @contextlib.contextmanager
    def named_files(self):
        """Turns a failure to read a file inside into an InputError that names the file.

        Without a failure it prints which frames were skipped.
        """
        try:
            yield
        except FAILED_READS:
            for frames in self.loaded:
                frames.check()
            raise
        if self.skipped:
            print(f"skipped {len(self.skipped)} bad examples:", file=sys.stderr)
            for line in self.skipped:
                print(f"  {line}", file=sys.stderr)

    def _usable(self, frames, split):
        shown = bar(desc=f"checking {split} files", total=len(frames), unit="frame")
        with shown:
            try:
                usable, problems = frames.usable(lambda items: counted(items, shown))
            except OutsideError:
                raise
            except InputError as error:
                raise InputError(f"--skip_bad_examples: {error}") from error
        if problems and not len(usable):
            raise InputError(f"--skip_bad_examples: none is left of {len(frames)}; {problems[0]}")
        self.skipped += problems
        return usable


def counted(items, shown):
    """Items one after the other, each of which moves a progress bar by one."""
    for item in items:
        shown.update()
        yield item


def _readable_depths(raw):
    """Depth maps up to the first that cannot be read, which is named where it is used."""
    depths = []
    with contextlib.suppress(*FAILED_READS):
        depths.extend(one["depth"] for one in raw.as_numpy_iterator())
    return depths


def _all_missing(raw):
    """Whether all depth maps can be read and no pixel of them is valid."""
    try:
        return not any(one["depth"].any() for one in raw.as_numpy_iterator())
    except FAILED_READS:
        return False
