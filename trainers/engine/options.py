"""Options of a command: by flag name, and compared with those that a folder was written with."""

import dataclasses
import re

# Options that may change when a run is continued: where things lie, how often to save, and what
# to do about a faulty step. They change no weight of a run without faulty steps.
MAY_CHANGE = (
    "workdir",
    "checkpoint_steps",
    "skip_nonfinite_steps",
    "allow_outside_paths",
    "teacher_cache",
)
# Options that may differ between the workers of a cluster: where things lie on each machine.
MAY_DIFFER_BY_MACHINE = ("workdir", "data_dir", "depth_dir", "allow_outside_paths")


def differences(here, there):
    """Options that a command does not share with a folder.

    Args:
      here: dict of name -> value, the command's options.
      there: dict of name -> value, the options that the folder was written with.
    Returns:
      list of str, one for each option of `here` with another value in `there`.
    """
    return [
        f"--{name}={value} here, {there.get(name)} there"
        for name, value in here.items()
        if there.get(name) != value
    ]


def flat(options):
    """Options by flag name.

    Args:
      options: a command's dataclass of flags; fields that are dataclasses hold further flags.
    Returns:
      dict of flag name -> value.
    """
    values = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        values |= flat(value) if dataclasses.is_dataclass(value) else {field.name: value}
    return values


def replaced(options, **values):
    """Options with other values.

    Args:
      options: as for `flat`; unchanged.
      values: new values by flag name.
    Raises:
      TypeError: there is no such flag.
    """
    for field in dataclasses.fields(options):
        group = getattr(options, field.name)
        if dataclasses.is_dataclass(group):
            own = {name: values.pop(name) for name in flat(group) if name in values}
            values[field.name] = replaced(group, **own)
    return dataclasses.replace(options, **values)


def as_flags(text, names):
    """A message of the library in which arguments stand as the flags that gave them.

    Args:
      text: the message, such as "data_dir=nowhere: no such folder".
      names: flags that became arguments of the same name.
    """
    # Not in Python code that a message quotes: "builder('nyu', data_dir='nowhere')".
    return re.sub(rf"(?<![\w-])(?<!', )({'|'.join(names)})(?=[= ])", r"--\1", text)
