"""Paths as users type them: ~ and $VARIABLES, which shells leave alone behind a =."""

import os

from tfdepthviz.utils.errors import InputError


def expanded(value, flag=""):
    """A flag's value with ~ and $VARIABLES filled in.

    Args:
      value: where it is text, a path, or several that commas separate; other values are kept.
      flag: name of the flag; "" for other words.
    Raises:
      InputError: a path begins with an unknown user or variable.
    """
    if not isinstance(value, str):
        return value
    parts = []
    for part in value.split(","):
        # A file may well have a $ in its name.
        filled = part if os.path.exists(part) else os.path.expandvars(part)
        filled = os.path.expanduser(filled)
        if filled.startswith(("~", "$")) and not os.path.exists(filled):
            named = f"--{flag}={value}" if flag else value
            raise InputError(f"{named}: {part!r} begins with no known user or variable")
        parts.append(filled)
    return ",".join(parts)
