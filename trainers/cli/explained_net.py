"""Explained network: the N that a trained G belongs to, read from the runs that trained G."""

import dataclasses

from tfdepthviz.models import DEFAULT_MASK_NET, DEPTH_NETS
from tfdepthviz.utils.errors import InputError
from trainers.cli import trained_masks
from trainers.engine.options import as_typed, flat, replaced, same
from trainers.engine.run_record import PATHS, last_part

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
    """The TrainedRun of a G.

    Args:
      file: of --mask_weights.
    """
    if file == "default":
        return trained_masks.TrainedRun(DEFAULT_RUN)
    return trained_masks.run_of(file)


def explained(files, target, input_size=None):
    """Flags of N and the image size, those that the user left out filled in from the runs of G.

    Args:
      files: of --mask_weights or --region_net; None where the user left the flag out.
      target: Target, with None in each field that the user left out.
      input_size: (H, W), or None if the user left it out.
    Returns:
      Target and (H, W) or None; the defaults of Target where no run is known.
    Raises:
      InputError: G was trained for another N or size than the flags say, or than another G.
    """
    runs = {file: run for file in files if file and (run := run_of(file)).options}
    if not runs:
        return trained_masks.completed(target, {}, leader="depth_net"), input_size
    for file, run in runs.items():
        for name, value in {**flat(target), "input_size": input_size}.items():
            # Any G may be tried with another removal than the one that it was trained with.
            if name == "removal" or value is None:
                continue
            if not _same(name, value, run):
                raise InputError(f"--{name}={as_typed(value)}: {_contradiction(file, name, run)}")
        _check_place_is_known(file, run, target)
    (first, run), *others = runs.items()
    for file, other in others:
        for name in (*USUAL, "input_size"):
            if not _same(name, _of(name, run), other):
                values = [as_typed(_of(name, one)) for one in (run, other)]
                raise InputError(
                    f"--mask_weights: {first} was trained with --{name}={values[0]}, {file} with "
                    f"{values[1]}; expected masks of one network"
                )
    given = {name: value for name, value in flat(target).items() if value is not None}
    target = replaced(target, **{**{name: run.options.get(name) for name in flat(target)}, **given})
    size = input_size or run.options.get("input_size")
    return trained_masks.completed(target, {}, leader="depth_net"), size and tuple(size)


def input_size_of(files, input_size=None):
    """The image size of mask generators, each of which may explain another N.

    Args:
      files: of --mask_weights.
      input_size: (H, W), or None if the user left it out.
    Returns:
      (H, W), or None if no run is known.
    Raises:
      InputError: a G was trained for another size than the flag says, or than another G.
    """
    sizes = {file: run_of(file).options.get("input_size") for file in files}
    sizes = {file: tuple(size) for file, size in sizes.items() if size}
    for file, size in sizes.items():
        if input_size is None:
            input_size = size
        if size != tuple(input_size):
            raise InputError(
                f"--input_size={as_typed(input_size)}: {file} was trained with {as_typed(size)}"
            )
    return input_size


def completed(options, files):
    """A command's options with `explained` N and size for what the user left out.

    Args:
      options: dataclass with the fields `target` and `input_size`.
      files: as of `explained`.
    """
    target, size = explained(files, options.target, options.input_size)
    return dataclasses.replace(options, target=target, input_size=size)


def _check_place_is_known(file, run, target):
    """Raises InputError where a file says what N was called, but not where it lies."""
    if run.has_paths:
        return
    for name, known in (("depth_net", DEPTH_NETS), ("depth_weights", ("default", "nyu", "random"))):
        value = run.options.get(name)
        if getattr(target, name) is None and value is not None and value not in known:
            raise InputError(
                f"--{name}: {file} was trained with {value}, and does not say where that lies; "
                f"give --{name}"
            )


def _contradiction(file, name, run):
    if file == "default":
        return (
            "needs a G that was trained for it, in --mask_weights; the one that comes with the "
            "package explains compact with its default weights"
        )
    return (
        f"{file} was trained with {as_typed(_of(name, run))}; without --{name} that is taken. Its "
        "weights alone, in a .weights.h5 file outside of the run's folder, go with any network"
    )


def mask_net_of(file, mask_net=None):
    """Name of G in MASK_NETS: what the user gave, or else of the run that trained it.

    Raises:
      InputError: they differ.
    """
    trained = run_of(file).options.get("mask_net")
    if mask_net and trained and mask_net != trained:
        raise InputError(f"--mask_net={mask_net}: {file} was trained with {trained}")
    return mask_net or trained or DEFAULT_MASK_NET


def _of(name, run):
    value = run.options.get(name)
    return USUAL.get(name) if value is None else value


def _same(name, value, run):
    """Whether a flag's value is that of a run."""
    trained = run.options.get(name)
    if name == "input_size":  # None: the size that N takes, which is not known here
        return value is None or trained is None or tuple(value) == tuple(trained)
    if trained is None and str(run.options.get("depth_net")).startswith("hf:"):
        return True  # its own files said it, or nothing did
    trained = USUAL[name] if trained is None else trained
    if isinstance(value, str) or isinstance(trained, str):
        by_name = not run.has_paths and name in PATHS and last_part(value) == trained
        return by_name or same(value, trained)
    return value == trained or (None not in (value, trained) and [*value] == [*trained])
