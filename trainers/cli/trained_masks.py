"""Trained masks: files of weights that flags name, and the options of the runs that wrote them."""

import dataclasses
import json
from pathlib import Path

from tfdepthviz.utils.errors import InputError

# Options that hold files or folders. A card shows the last part of each: where a file lies on the
# machine that trained is private.
PATHS = ("data_dir", "depth_dir", "image_list", "depth_net", "depth_weights", "mask_weights")
# Options that a card leaves out: they do not change what is learnt.
LEFT_OUT = (
    *("workdir", "checkpoint_steps", "skip_nonfinite_steps", "strips", "strategy"),
    "teacher_cache",
)


def listed(text):
    """Files of --mask_weights or --saved_masks, which commas separate; none for None."""
    return [file for file in (text or "").split(",") if file]


def name_of(file):
    """Name of a mask in pictures and tables: its run's folder, else its file."""
    path = Path(file)
    in_run = path.stem in ("mask_net", "masks") and path.parent.name
    return path.parent.name if in_run else path.stem


def options_of(mask_weights):
    """Options of the run of train_mask that wrote a file of weights; {} if no run did.

    Args:
      mask_weights: path of the file, or "default", those that come with the package.
    Raises:
      InputError: the folder's config.json cannot be read.
    """
    path = Path(mask_weights).with_name("config.json")
    if mask_weights == "default" or not path.exists():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict) or config.get("command") != "train_mask":
            return {}
        return dict(config["options"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as the options of a run ({error!r})") from error


def completed(group, trained, *, leader):
    """Flags, those that the user left out filled in from a run, or else with their defaults.

    Args:
      group: Data or Target, with None in each field that the user left out.
      trained: the run's options, from `options_of`.
      leader: name of the field that the others depend on; if the user gives another value than
        the run had, nothing is taken from the run.
    Returns:
      the same dataclass, filled in.
    """
    fields, usual = dataclasses.asdict(group), dataclasses.asdict(type(group)())
    if fields[leader] not in (None, trained.get(leader)):
        trained = {}
    return dataclasses.replace(
        group,
        **{k: trained.get(k, usual[k]) if v is None else v for k, v in fields.items()},
    )


def on_card(trained):
    """The options of a run that its card shows; None without a run."""
    short = {k: last_part(v) if k in PATHS else v for k, v in trained.items()}
    return {k: v for k, v in short.items() if k not in LEFT_OUT} or None


def last_part(path):
    """Name of a file or folder without its path; None for None."""
    return Path(path).name if path else path
