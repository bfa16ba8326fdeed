"""Ending: the last lines that a command prints, and command lines to go on with."""

import shlex
import sys
from pathlib import Path

WIDTH = 100
CONSOLE = "tfdepthviz"


def command(name, *arguments):
    """A command line as this process was started: by the console command or by Python.

        command("explain", "photos", "--keep=0.2")  # tfdepthviz explain photos --keep=0.2

    Args:
      name: of the command, such as "explain".
      arguments: its words and flags.
    """
    started = Path(sys.orig_argv[1]).stem if len(sys.orig_argv) > 1 else ""
    start = [CONSOLE, name] if started == CONSOLE else ["python", "-m", f"trainers.{name}"]
    return shlex.join([*start, *map(str, arguments)])


def conclude(result, *, pictures, commands=()):
    """Prints what came out, where to look at it, and what to do next.

    Args:
      result: sentences with the verdict or main figure and the number of images.
      pictures: path of the page or picture to open first.
      commands: (purpose, command line) of what a reader would run next.
    """
    lines = [result, f"look at: {pictures}"]
    if commands:
        lines.append("next:")
    for purpose, line in commands:
        lines += [f"  # {purpose}", *_wrapped(line)]
    print("\n".join(lines), flush=True)


def _wrapped(line):
    """A command line in lines of at most WIDTH characters, as a shell takes them."""
    lines = ["  "]
    for word in shlex.split(line):
        word = shlex.quote(word)
        if len(lines[-1]) + len(word) + 3 > WIDTH:
            lines[-1] += "\\"
            lines.append("      ")
        lines[-1] += f"{word} "
    return [line.rstrip() for line in lines]
