"""Record of a benchmark: its figures, with machine, date and versions."""

import importlib.metadata
import json
import os
import platform
import time

from absl import flags

from tfdepthviz.utils.files import write_whole


def write(path, figures, packages):
    """Writes figures with flags, machine, date and versions of packages as JSON, and says so.

    Args:
      path: file to write.
      figures: dict that JSON can hold.
      packages: names of distributions; the version of one that is not installed is null.
    """
    record = {
        "flags": {f.name: f.value for f in flags.FLAGS.get_key_flags_for_module("__main__")},
        **figures,
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
        "versions": {name: _version(name) for name in packages},
    }
    write_whole(path, json.dumps(record, indent=2) + "\n")
    print(f"wrote {path}")


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
