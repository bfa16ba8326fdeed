"""Commands run in this process, with flags by name or as a command line."""

import contextlib
import io
import sys

import pytest

from trainers.cli import flags as flags_module
from trainers.engine.options import replaced


def options(command, **flags):
    """A command's options; flags that are left out have their defaults.

    Args:
      command: module of the command, such as trainers.train_mask.
      flags: values by flag name, of the types that parsing gives them.
    Raises:
      TypeError: the command has no such flag.
    """
    return replaced(command.Options(), **flags)


def run(command, *images, **flags):
    """Runs a command and returns its result; arguments as of `options`.

    Args:
      images: the words of explain's command line that are not flags.
    """
    return command.run(options(command, **flags, **({"images": images} if images else {})))


def parsed(run, options_class, line):
    """Runs `flags.main` on a command line; the flags are undefined again afterwards.

    Args:
      run, options_class: as of `flags.main`.
      line: list of words, the first the name of the command.
    Returns:
      exit code, standard output, standard error.
    """
    before, argv = set(flags_module.FLAGS), sys.argv
    out, err = io.StringIO(), io.StringIO()
    sys.argv = line
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with pytest.raises(SystemExit) as ended:
                flags_module.main(run, options_class)
    finally:
        sys.argv = argv
        for name in set(flags_module.FLAGS) - before:
            delattr(flags_module.FLAGS, name)
        flags_module.FLAGS.unparse_flags()
    return ended.value.code or 0, out.getvalue(), err.getvalue()
