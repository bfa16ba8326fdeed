"""Commands run in this process, with flags by name."""

from trainers.engine.options import replaced


def options(command, **flags):
    """A command's options, those that are not given at their defaults.

    Args:
      command: module of the command, such as trainers.train_mask.
      flags: values by flag name, as the command line would give them parsed.
    Raises:
      TypeError: the command has no such flag.
    """
    return replaced(command.Options(), **flags)


def run(command, *images, **flags):
    """Runs a command and returns its result; arguments as of `options`.

    Args:
      images: the words of explain_image's command line that are not flags.
    """
    return command.run(options(command, **flags, **({"images": images} if images else {})))
