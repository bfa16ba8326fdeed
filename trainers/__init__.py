"""The commands: one a file, `python -m trainers.<name> --help`; `python -m trainers` lists them."""

from trainers.cli import program

# The list of commands comes at once; a command that it starts loads TensorFlow then.
if not program.by_list():
    program.load_tensorflow()
