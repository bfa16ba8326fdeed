"""A mask network together with the options of the run that trained it."""

import csv
import dataclasses
import json
from pathlib import Path

from tfdepthviz.utils.errors import InputError

# Options that hold files or folders: their last part is name enough, and the rest of a path is
# nobody's business.
PATHS = ("data_dir", "depth_dir", "image_list", "depth_net", "depth_weights", "mask_weights")
NOT_TOLD = (
    *("workdir", "checkpoint_steps", "skip_nonfinite_steps", "strips", "strategy"),
    "teacher_cache",
)


def options_of(mask_weights):
    """Options of the `train_mask` in whose work folder a file of weights lies; {} elsewhere.

    Args:
      mask_weights: path of the file.
    Raises:
      InputError: the folder's config.json cannot be read.
    """
    path = Path(mask_weights).with_name("config.json")
    if not path.exists():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict) or config.get("command") != "train_mask":
            return {}
        return dict(config["options"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as the options of a run ({error!r})") from error


def final_lambda(mask_weights, trained):
    """lambda at the end of the run that `trained` holds the options of; None where it is not known.

    With a target it was adapted, and the run's history has it.

    Args:
      mask_weights: path of the run's weights.
      trained: what `options_of` gives.
    """
    if trained.get("target_sparseness") is None:
        return trained.get("sparsity_weight")
    try:
        with open(Path(mask_weights).with_name("history.csv"), newline="") as file:
            return float([*csv.DictReader(file)][-1]["val_sparsity_weight"])
    except (OSError, IndexError, KeyError, ValueError):
        return None


def completed(given, trained, *, leader):
    """Options that the flags leave open, as the run had them, or else the usual ones.

    Args:
      given: datasets.Data or targets.Target, None in each field that no flag sets.
      trained: what `options_of` gives.
      leader: field that says what the others belong to; where the flags name another one than the
        run had, nothing is taken from the run.
    Returns:
      the dataclass without open fields.
    """
    fields, usual = dataclasses.asdict(given), dataclasses.asdict(type(given)())
    if fields[leader] not in (None, trained.get(leader)):
        trained = {}
    return dataclasses.replace(
        given,
        **{k: trained.get(k, usual[k]) if v is None else v for k, v in fields.items()},
    )


def told(trained):
    """The options of a run as a card tells them, None without a run."""
    short = {k: last_part(v) if k in PATHS else v for k, v in trained.items()}
    return {k: v for k, v in short.items() if k not in NOT_TOLD} or None


def last_part(path):
    """The name of a file or folder without where it lies; None for None."""
    return Path(path).name if path else path
