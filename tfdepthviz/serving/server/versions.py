"""Versions of a model: those on the disk, and those that a policy chooses to serve."""

import os
import re

# Numbers that TensorFlow's safe_strto64 accepts; negative ones are no versions.
_NUMBER = re.compile(r"[0-9]{1,19}")
MAX_VERSION = 2**63 - 1


def on_disk(base_path):
    """Versions below a base path.

    Returns:
      dict of version (int) -> folder; None without such a base path. A file system may be away for
      a moment, so None is no reason to unload anything.
    """
    try:
        names = os.listdir(base_path)
    except OSError:
        return None
    folders = {}
    for name in sorted(names):
        path = os.path.join(base_path, name)
        if _NUMBER.fullmatch(name) and int(name) <= MAX_VERSION and os.path.isdir(path):
            folders[int(name)] = path
    return folders


def stamp(path):
    """A value that changes when a folder is replaced or something is put into it."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def to_serve(policy, available):
    """Versions to serve.

    Args:
      policy: ServableVersionPolicy; an empty one means the latest version.
      available: versions to choose from.
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
