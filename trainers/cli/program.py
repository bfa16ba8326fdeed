"""Program: how this process was started, and command lines that start others in the same way."""

import os
import shlex
import shutil
import sys
from pathlib import Path

CONSOLE = "tfdepthviz"


def by_console():
    """Whether the console command `tfdepthviz` started this process."""
    return len(sys.orig_argv) > 1 and Path(sys.orig_argv[1]).stem == CONSOLE


def by_list():
    """Whether `tfdepthviz` or `python -m trainers` did, which need not run a command at all."""
    words = sys.orig_argv
    return by_console() or ("-m", "trainers") in zip(words, words[1:], strict=False)


def command(name, *arguments):
    """The command line of one of our commands, for the shell of the user.

        command("explain", "photos", "--keep=0.2")  # tfdepthviz explain photos --keep=0.2

    Args:
      name: of the command, such as "explain".
      arguments: its words and flags.
    """
    if by_console():
        return tool(CONSOLE, name, *arguments)
    return tool("python", "-m", f"trainers.{name}", *arguments)


def tool(name, *arguments):
    """The command line of a program of this environment; with its folder, if no shell finds it."""
    folder = os.path.dirname(sys.executable)
    known = shutil.which(name)
    if known is None or os.path.realpath(os.path.dirname(known)) != os.path.realpath(folder):
        # A short path where the environment lies below the current folder.
        near = os.path.relpath(folder)
        name = os.path.join(folder if near.startswith("..") else near, name)
    return shlex.join([name, *map(str, arguments)])


def load_tensorflow():
    """Loads TensorFlow without what its native code says about CPU features and missing GPUs.

    The first of it comes before any setting is read. Failures arrive as exceptions all the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            import tensorflow  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
