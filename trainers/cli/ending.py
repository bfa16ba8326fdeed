"""Ending: the last lines that a command prints."""

import shlex

WIDTH = 100


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
