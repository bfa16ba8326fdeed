"""Flags of a command: fields of a dataclass that stands next to the command's `run`.

    @dataclasses.dataclass(frozen=True)
    class Options:
        "Pictures"

        frames: int = flag(6, "Number of images to draw.", flag_types.positive_integer)
        data: Data = Data()

    def run(options): ...

    if __name__ == "__main__":
        main(run, Options)

A field whose default is a dataclass is a group of flags, such as `Data` here. The docstring of a
group is its heading in --help.
"""

import dataclasses
import sys

from absl import app, flags, logging

from tfdepthviz.utils.errors import InputError, is_out_of_memory, one_line
from trainers.cli import flag_types, program
from trainers.cli.flag_help import define_help, sections
from trainers.cli.out_of_memory import out_of_memory
from trainers.cli.paths import expanded
from trainers.engine.cluster import WorkerLost
from trainers.engine.options import replaced
from trainers.engine.signals import Interrupted

FLAGS = flags.FLAGS


def flag(default, text, kind=flag_types.text):
    """A field that is a flag.

    Args:
      default: value of the flag where the user gives none.
      text: help, in sentences.
      kind: function of `flag_types` that says which values the flag takes.
    """
    return dataclasses.field(default=default, metadata={"text": text, "kind": kind})


def arguments(text):
    """A field for the words of the command line that are not flags, a tuple.

    Args:
      text: help, in sentences.
    """
    return dataclasses.field(default=(), metadata={"text": text, "kind": None})


def main(run, options_class, continues=True):
    """Defines the flags of a command, parses the command line, and runs the command.

    An error of the user ends in one line on standard error and in exit code 1.

    Args:
      run: function of one `options_class`.
      options_class: frozen dataclass whose fields are flags and groups of flags.
      continues: whether the same command continues where it was stopped.
    """
    defaults = options_class()
    names, words = _define(defaults)
    # Flags may come after the other words.
    FLAGS.set_gnu_getopt(words is not None)
    again = f"the same command {'continues' if continues else 'starts over'}"

    def start(argv):
        values = {}
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a name of a file need not be UTF-8
                stream.reconfigure(errors="backslashreplace")
        try:
            values = {name: expanded(FLAGS[name].value, name) for name in names}
            if words:
                values[words] = tuple(map(expanded, argv[1:]))
            elif len(argv) > 1:
                raise InputError(f"unexpected argument {argv[1]!r}; flags are --name=value")
            run(replaced(defaults, **values))
        except OSError as error:  # WriteError, or else the machine's doing: no mistake of the code
            print(f"error: {error}; once that is mended, {again}", file=sys.stderr)
            return 1
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except (Interrupted, WorkerLost) as stopped:
            if sys.stdout.isatty():
                print()  # the cursor stands behind a progress bar
            print(stopped, file=sys.stderr)
            return stopped.exit_code
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            print(f"error: {out_of_memory(error, values)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\nstopped; {again}", file=sys.stderr)
            return 130
        return 0

    app.run(start, flags_parser=_parsed)


def command_line(name):
    """The command line of this process, as a user types it.

    Args:
      name: of the command, such as "evaluate".
    """
    return program.command(name, *sys.argv[1:])


def _define(defaults):
    """Defines all flags; returns their names, and the name of the field for other words or None."""
    names, words = [], None
    for _, fields in sections(defaults):
        for field, default in fields:
            define, text = field.metadata["kind"], field.metadata["text"]
            if define is None:
                words = field.name
                continue
            define(field.name, default, text)
            FLAGS.register_key_flag_for_module(sys.argv[0], FLAGS[field.name])
            names.append(field.name)
    define_help(defaults)
    return names, words


def _parsed(argv):
    try:
        arguments = FLAGS(argv)
        # absl would turn on what libraries say at level INFO; --verbosity=0 still does.
        if FLAGS["verbosity"].using_default_value:
            FLAGS.verbosity = logging.WARNING
        return arguments
    except flags.Error as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(1)
