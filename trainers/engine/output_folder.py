"""Output folders: whether results can be written there, and which options they belong to."""

import json

from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import check_writable, write_whole


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
