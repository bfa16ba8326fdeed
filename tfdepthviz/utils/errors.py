"""The exceptions that mean: the user can mend it, and the message says how."""


class InputError(ValueError):
    """A flag, file or field that cannot be used; the message is one line, fit to be shown."""


class WriteError(InputError, OSError):
    """A file or folder that cannot be written, for want of room or of rights.

    Args:
      path: what was to be written.
      reason: why not, in words.
    """

    def __init__(self, path, reason):
        super().__init__(f"{path}: cannot be written ({reason})")
        self.reason = reason
