"""Options of a command: by flag name, and compared with those that a folder was written with."""

import dataclasses
import os
import re

# Options that may change when a run is continued: where things lie, how often to save, what to
# draw, what to do about a faulty step, and how long to train. But for the last they change no
# weight of a run without faulty steps.
MAY_CHANGE = (
    "workdir",
    "epochs",
    "strips",
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
        if not same(value, there.get(name))
    ]


def same(one, other):
    """Whether two values of an option mean the same: paths may be spelled in several ways.

    A relative path that was typed in another folder is the same as a path that ends in it.
    """
    if one == other or not (isinstance(one, str) and isinstance(other, str)):
        return one == other
    parts = one.split(","), other.split(",")
    return len(parts[0]) == len(parts[1]) and all(map(_same_path, *parts))


def _same_path(one, other):
    if one == other:
        return True
    one, other = map(_in_full, (one, other))
    for whole, part in ((one, other), (other, one)):
        if os.path.isabs(whole) and not os.path.isabs(part):
            tail = os.path.normpath(part)
            if os.sep in tail and whole.endswith(os.sep + tail):
                return True
    return one == other


def _in_full(path):
    """The full path of a file or folder that exists, FILE.py:NAME included; else the text."""
    for kind in ("torch:", "hf:"):
        if path.startswith(kind):
            return kind + _in_full(path.removeprefix(kind))
    file, colon, name = path.rpartition(":")
    if not os.path.exists(path) and file and os.path.exists(file):
        return os.path.realpath(file) + colon + name
    return os.path.realpath(path) if os.path.exists(path) else path


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


def as_typed(value):
    """A flag's value as a user would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(as_typed, value)) if isinstance(value, list | tuple) else str(value)


def changed(options, left_out=()):
    """Flags whose values are not the defaults, as words of a command line.

        changed(Data(dataset="nyu", data_dir="NYU"))  # ["--dataset=nyu", "--data_dir=NYU"]

    Args:
      options: as for `flat`.
      left_out: names of flags to leave out.
    """
    usual = flat(type(options)())
    return [
        f"--{name}={as_typed(value)}"
        for name, value in flat(options).items()
        if value != usual[name] and name not in left_out
    ]


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
