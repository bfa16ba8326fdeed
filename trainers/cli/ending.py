"""Ending: the last lines that a command prints."""

import shlex
import textwrap

from tfdepthviz.utils.constants import COLUMNS
from trainers.engine.options import as_typed, changed


def same_networks(options):
    """Flags of a command that give another one the same data, N and input size, as words."""
    words = [*changed(options.data), *changed(options.target)]
    if options.input_size:
        words.append(f"--input_size={as_typed(options.input_size)}")
    return words


def conclude(result, *, pictures=None, commands=()):
    """Prints what came out, where to look at it, and what to do next.

    Args:
      result: the verdict or main figure and the number of images, in lines of any length.
      pictures: path of the page or picture to open first; None: the command draws none.
      commands: (purpose, command line) of what a reader would run next.
    """
    # Paths and flags stay whole.
    whole = {"break_long_words": False, "break_on_hyphens": False}
    lines = [textwrap.fill(line, COLUMNS, **whole) for line in result.splitlines()]
    if pictures:
        lines.append(f"look at: {pictures}")
    if commands:
        lines.append("next:")
    for purpose, line in commands:
        lines += [f"  # {purpose}", *_wrapped(line)]
    print("\n".join(lines), flush=True)


def _wrapped(line):
    """A command line in lines of at most COLUMNS characters, as a shell takes them."""
    lines = ["  "]
    for word in shlex.split(line):
        word = shlex.quote(word)
        if len(lines[-1]) + len(word) + 3 > COLUMNS:
            lines[-1] += "\\"
            lines.append("      ")
        lines[-1] += f"{word} "
    return [line.rstrip() for line in lines]
