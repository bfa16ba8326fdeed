"""Run record: the options of the training of a network, inside of its .keras file.

A .keras file is a ZIP archive, in which Keras reads the members that it knows. The record is one
more, and goes with the file wherever it is copied. It names files without their folders: where they
lay on the machine that trained is private, and may hold something else on another one.
"""

import json
import zipfile
from pathlib import Path

MEMBER = "tfdepthviz_run.json"
MOST_BYTES = 1 << 16
# Options that hold files or folders.
PATHS = (
    "data_dir",
    "depth_dir",
    "image_list",
    "depth_net",
    "depth_weights",
    "mask_weights",
    "evaluator",
)
# Options that do not change what is learnt.
LEFT_OUT = (
    *("workdir", "checkpoint_steps", "skip_nonfinite_steps", "strips", "strategy"),
    "teacher_cache",
)


def recorded(options, left_out=()):
    """The options of a run that its record and its card show.

    Args:
      options: dict of flag name -> value.
      left_out: names of more options to leave out.
    """
    shown = {k: v for k, v in options.items() if k not in (*LEFT_OUT, *left_out)}
    return {k: last_part(v) if k in PATHS else v for k, v in shown.items()}


def last_part(path):
    """Name of a file or folder without its path; None for None."""
    return Path(path).name if path else path


def write_record(path, record):
    """Adds a record to a .keras file.

    Args:
      path: the file, without a record.
      record: dict that JSON can hold, of `recorded`.
    """
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, json.dumps(record))


def read_record(path):
    """The record of a .keras file; {} of any other file, or of one without a record."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(MEMBER).file_size > MOST_BYTES:
                return {}
            record = json.loads(archive.read(MEMBER))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return {}
    return record if isinstance(record, dict) and _fits(record) else {}


def _fits(record):
    """Whether values that decide which network is built have their types."""
    texts = [record.get(name) for name in ("mask_net", "depth_net", "depth_weights", "depth_kind")]
    size = record.get("input_size")
    return all(text is None or isinstance(text, str) for text in texts) and (
        size is None or (isinstance(size, list) and [type(n) for n in size] == [int, int])
    )
