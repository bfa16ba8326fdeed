"""Explained network: the N that a trained G belongs to, read from the runs that trained G."""

import dataclasses

from tfdepthviz.models import DEFAULT_MASK_NET
from tfdepthviz.utils.errors import InputError
from trainers.cli import trained_masks
from trainers.engine.options import as_typed, flat, replaced, same

# The run of the G that comes with the package, as far as N goes.
DEFAULT_RUN = {"depth_net": "compact", "mask_net": DEFAULT_MASK_NET}
# What a run means where its options hold None.
USUAL = {
    "depth_net": "compact",
    "depth_weights": "default",
    "depth_kind": "metric",
    "depth_input": "imagenet",
    "depth_output": "0",
    "depth_signature": "serving_default",
}


def run_of(file):
    """Options of the run that trained a G; {} if it is not known.

    Args:
      file: of --mask_weights.
    """
    return DEFAULT_RUN if file == "default" else trained_masks.options_of(file)


def explained(files, target, input_size=None):
    """Flags of N and the image size, those that the user left out filled in from the runs of G.

    Args:
      files: of --mask_weights.
      target: Target, with None in each field that the user left out.
      input_size: (H, W), or None if the user left it out.
    Returns:
      Target and (H, W) or None; the defaults of Target where no run is known.
    Raises:
      InputError: G was trained for another N or size than the flags say, or than another G.
    """
    runs = {file: run for file in files if (run := run_of(file))}
    if not runs:
        return trained_masks.completed(target, {}, leader="depth_net"), input_size
    for file, run in runs.items():
        for name, value in {**flat(target), "input_size": input_size}.items():
            if value is not None and not _same(name, value, run.get(name)):
                raise InputError(f"--{name}={as_typed(value)}: {_contradiction(file, name, run)}")
    (first, run), *others = runs.items()
    for file, other in others:
        for name in (*USUAL, "input_size"):
            if not _same(name, _of(name, run), other.get(name)):
                values = [as_typed(_of(name, options)) for options in (run, other)]
                raise InputError(
                    f"--mask_weights: {first} was trained with --{name}={values[0]}, {file} with "
                    f"{values[1]}; expected masks of one network"
                )
    given = {name: value for name, value in flat(target).items() if value is not None}
    target = replaced(target, **{**{name: run.get(name) for name in flat(target)}, **given})
    size = input_size or run.get("input_size")
    return trained_masks.completed(target, run, leader="depth_net"), size and tuple(size)


def completed(options, files):
    """A command's options with `explained` N and size for what the user left out.

    Args:
      options: dataclass with the fields `target` and `input_size`.
      files: of --mask_weights.
    """
    target, size = explained(files, options.target, options.input_size)
    return dataclasses.replace(options, target=target, input_size=size)


def _contradiction(file, name, run):
    if file == "default":
        return (
            "needs a G that was trained for it, in --mask_weights; the one that comes with the "
            "package explains compact with its default weights"
        )
    trained = as_typed(_of(name, run))
    return (
        f"{file} was trained with {trained}; without --{name} that is taken. A copy of the file "
        "outside of its run's folder explains any network"
    )


def mask_net_of(file, mask_net=None):
    """Name of G in MASK_NETS: what the user gave, or else of the run that trained it.

    Raises:
      InputError: they differ.
    """
    trained = run_of(file).get("mask_net")
    if mask_net and trained and mask_net != trained:
        raise InputError(f"--mask_net={mask_net}: {file} was trained with {trained}")
    return mask_net or trained or DEFAULT_MASK_NET


def _of(name, run):
    value = run.get(name)
    return USUAL.get(name) if value is None else value


def _same(name, value, trained):
    if name == "input_size":  # None: the size that N takes, which is not known here
        return value is None or trained is None or tuple(value) == tuple(trained)
    trained = USUAL[name] if trained is None else trained
    if isinstance(value, str) or isinstance(trained, str):
        return same(value, trained)
    return value == trained or (None not in (value, trained) and [*value] == [*trained])
