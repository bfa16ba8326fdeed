"""Help of a command: its docstring, then its flags in groups, in the order of the fields."""

import dataclasses
import os
import sys
import textwrap

from absl import app, flags

from tfdepthviz.utils.constants import COLUMNS
from trainers.engine.options import as_typed


class _HelpFlag(flags.BooleanFlag):
    """A flag that prints the help of a command and ends the process with 0.

    Args:
      name, short_name: of the flag.
      options: the command's dataclass of flags.
    """

    def __init__(self, name, short_name, options):
        # absl's own flags of these names print by alphabet and exit with 1.
        super().__init__(name, False, "show this help", short_name, allow_override=True)
        self.options = options

    def parse(self, argument):
        if self._parse(argument):
            try:
                print(help_text(self.options), flush=True)
            except BrokenPipeError:  # a pager or `head` has seen enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


def define_help(options):
    """Defines --help, which lists the command's own flags; --helpfull lists absl's as well."""
    app.define_help_flags()
    for name, short_name in (("help", "?"), ("helpshort", None)):
        flags.DEFINE_flag(_HelpFlag(name, short_name, options))


def sections(options):
    """A command's own flags and its groups of flags, in the order of the fields.

    Args:
      options: dataclass whose fields are flags and groups of flags. Its own flags stand together,
        in the place of the first of them.
    Yields:
      (heading, list of (field, default)).
    """
    values = [(field, getattr(options, field.name)) for field in dataclasses.fields(options)]
    own = [(field, value) for field, value in values if field.metadata]
    for field, value in values:
        if dataclasses.is_dataclass(value):
            yield from sections(value)
        elif own and field is own[0][0]:
            yield type(options).__doc__.splitlines()[0].rstrip("."), own


def help_text(options):
    """What --help prints."""
    parts = [sys.modules[type(options).__module__].__doc__.strip()]
    for heading, fields in sections(options):
        lines = [_described(field, default) for field, default in fields]
        parts.append("\n".join([f"{heading}:", *lines]))
    return "\n\n".join(parts)


def _described(field, default):
    """A flag with its default, and below it its help."""
    name, text = field.name, field.metadata["text"]
    if field.metadata["kind"] is None:
        head = name.upper()
    else:
        head = f"--{name}" if default is None else f"--{name}={as_typed(default)}"
        text = " ".join(filter(None, (text, _values(flags.FLAGS[name]))))
    indent = 6 * " "
    return (
        f"  {head}\n{textwrap.fill(text, COLUMNS, initial_indent=indent, subsequent_indent=indent)}"
    )


def _values(flag):
    """The values that a flag takes, in parentheses; "" if any text will do."""
    choices = getattr(flag.parser, "enum_values", None)
    syntax = f"one of {', '.join(choices)}" if choices else flag.parser.syntactic_help
    return f"({syntax})" if syntax else ""
