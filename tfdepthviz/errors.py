"""The one exception that means: the user's input is wrong, and the message says how."""


class InputError(ValueError):
    """A flag, file or field that cannot be used; the message is one line, fit to be shown."""
