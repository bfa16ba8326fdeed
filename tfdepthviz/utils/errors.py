"""Exceptions whose message tells the user what to correct, and messages cut to one line."""

import re

# Codes by which libraries colour their messages in a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class InputError(ValueError):
    """An argument, file or field that cannot be used; the message is one line for the user."""


class WriteError(InputError, OSError):
    """A file or folder that cannot be written, for lack of room or of rights.

    Args:
      path: the file or folder.
      reason: why it cannot be written, in words.
    """

    def __init__(self, path, reason):
        super().__init__(f"{path}: cannot be written ({reason})")
        self.reason = reason


def one_line(error, longest=None):
    """The text of an exception on one line, without characters that steer a terminal.

    Args:
      error: an exception, or any object that has a text.
      longest: number of characters to cut the text to; None: all.
    Returns:
      str; the exception's type where it has no text.
    """
    text = " ".join(_COLOURS.sub("", str(error)).split())[:longest]
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text or (type(error).__name__ if isinstance(error, BaseException) else "")


def is_out_of_memory(error):
    """Whether an exception says that memory could not be had, on the host or on a device."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
