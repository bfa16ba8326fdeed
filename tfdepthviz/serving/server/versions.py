"""Which versions of a model lie on the disk, and which of them a policy wants to have served."""

import os
import re

# What TensorFlow's safe_strto64 takes, negative numbers left out: they are no versions.
_NUMBER = re.compile(r"[0-9]{1,19}")
MAX_VERSION = 2**63 - 1


def on_disk(base_path):
    """Versions below a base path.

    Returns:
      dict of version (int) -> folder, or None if there is no such base path: that may be a file
      system that is away for a moment, so nothing shall be unloaded for it.
    """
    try:
        names = os.listdir(base_path)
    except OSError:
        return None
    found = {}
    for name in sorted(names):
        path = os.path.join(base_path, name)
        if _NUMBER.fullmatch(name) and int(name) <= MAX_VERSION and os.path.isdir(path):
            found[int(name)] = path
    return found


def stamp(path):
    """What changes when a folder is replaced, or something is put into it."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def wanted(policy, available):
    """Versions to serve.

    Args:
      policy: ServableVersionPolicy; none chosen means the latest one.
      available: the versions there are.
    Returns:
      set of int.
    """
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return set(available)
    if choice == "specific":
        return set(policy.specific.versions) & set(available)
    count = max(policy.latest.num_versions, 1)
    return set(sorted(available, reverse=True)[:count])
