"""Trained masks: files of weights that flags name, and the options of the runs that wrote them."""

import dataclasses
import json
from pathlib import Path

from tfdepthviz.utils.errors import InputError
from trainers.engine.options import MAY_CHANGE
from trainers.engine.run_record import read_record, recorded


def listed(text):
    """Files of --mask_weights or --saved_masks, which commas separate; none for None."""
    return [file for file in (text or "").split(",") if file]


def name_of(file):
    """Name of a mask in pictures and tables: its run's folder, else its file."""
    path = Path(file)
    in_run = path.stem in ("mask_net", "masks") and path.parent.name
    return path.parent.name if in_run else path.stem


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """The training of a G, as far as it is known.

    Attributes:
      options: flag name -> value; {} if nothing is known.
      has_paths: whether files in the options have their paths, as in the run's own folder; the
        record in a file that was copied has their names alone.
    """

    options: dict
    has_paths: bool = True


def run_of(mask_weights):
    """The run of train_mask that wrote a file of weights, as a TrainedRun.

    Args:
      mask_weights: path of the file, or "default", those that come with the package.
    Raises:
      InputError: the folder's config.json cannot be read.
    """
    if mask_weights == "default":
        return TrainedRun({})
    record, options = read_record(mask_weights), _options_in(Path(mask_weights).parent)
    # A file of another run may have been copied into the folder.
    now = recorded(options)
    other = any(now.get(k) != v for k, v in record.items() if k not in MAY_CHANGE)
    if record and (other or not options):
        return TrainedRun(record, has_paths=False)
    return TrainedRun(options)


def options_of(mask_weights):
    """The options of `run_of`."""
    return run_of(mask_weights).options


def _options_in(folder):
    """Options of the run of train_mask in a folder; {} if it holds none."""
    path = folder / "config.json"
    if not path.exists():
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
