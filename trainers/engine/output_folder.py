"""Output folders: whether results can be written there, and which options they belong to."""

import json
from pathlib import Path

from tfdepthviz.data.listing import images_in, is_output
from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import OUTPUT_MARK, check_writable, write_whole, writing

# Files by which an output folder of an earlier version, which has no mark, is known.
OURS = ("config.json", "options.json", "explained.json", "completion.json", "table.json")


def check_output(folder, holds, flag="output_dir"):
    """Checks an output folder before a command computes for minutes; makes nothing.

    Args:
      folder: path of the folder, which need not exist; None or "" if none was given.
      holds: what the command writes into it, in words.
      flag: name of the flag that gave it.
    Raises:
      InputError: no folder is given, or nothing can be written there.
    """
    if not folder:
        raise InputError(f"--{flag}: needs a folder for {holds}")
    try:
        check_writable(folder)
    except WriteError as error:
        raise InputError(f"--{flag}={folder}: cannot be used ({error.reason})") from error


def check_results(folder, holds, flag="output_dir"):
    """As `check_output`, for a folder that gets a mark: it must hold no images of others.

    Raises:
      InputError: as `check_output`, or the folder holds images that no command wrote.
    """
    check_output(folder, holds, flag)
    path = Path(folder)
    if not path.is_dir() or is_output(folder) or any((path / name).exists() for name in OURS):
        return
    if images := images_in(folder).images:
        raise InputError(
            f"--{flag}={folder}: holds images that no command wrote, such as {images[0]}, and "
            "no command reads images from an output folder; give another folder"
        )


def mark_output(folder):
    """Makes an output folder and marks it: `data.listing` leaves it out from then on."""
    path = Path(folder)
    with writing(path / OUTPUT_MARK):
        path.mkdir(parents=True, exist_ok=True)
        (path / OUTPUT_MARK).touch()


def keep_options(path, options, holds):
    """Writes the options next to the results, or checks that they are those of an earlier command.

    Args:
      path: Path of the JSON file in the output folder.
      options: dict that JSON can hold: every option that changes the results.
      holds: what the results are, in words.
    Raises:
      InputError: the folder cannot be used, or holds results of other options.
    """
    try:
        mark_output(path.parent)
        if not path.exists():
            write_whole(path, json.dumps(options, indent=2) + "\n")
        held = json.loads(path.read_text(encoding="utf-8"))
    except WriteError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"--output_dir={path.parent}: cannot be used ({error})") from error
    if held != options:
        raise InputError(
            f"--output_dir={path.parent}: holds {holds} with other options ({held} there, "
            f"{options} here); give another folder"
        )
