"""Out of memory: the message about it, which says what to lower."""

from tfdepthviz.utils.errors import one_line
from trainers.engine.options import as_typed

# Flags that decide how much memory a step takes, the most effective first.
LOWERED = ("batch_size", "workers", "input_size")


def out_of_memory(error, flags):
    """One line about an exception of `is_out_of_memory`.

    Args:
      error: the exception.
      flags: dict of name -> value of the command's flags.
    """
    lowered = [f"--{name}={as_typed(flags[name])}" for name in LOWERED if flags.get(name)]
    advice = f"; lower {' or '.join(lowered)}" if lowered else ""
    return f"out of memory ({one_line(error, 200)}){advice}"
