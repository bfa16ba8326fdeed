"""Store of converted networks: SavedModels under the user's cache folder, each with its sources."""

import hashlib
import json
import os
import pathlib
import sys
import sysconfig

from tfdepthviz.utils.constants import VERSION
from tfdepthviz.utils.files import sha256

RECORD = "conversion.json"
# Endings of files with weights, which libraries open without Python's knowledge.
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx", ".data")
_recorders = []


def folder_of(what):
    """Folder of one conversion.

    Args:
      what: dict that says all that the conversion depends on, but the content of files.
    Returns:
      pathlib.Path, below $XDG_CACHE_HOME or ~/.cache.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    text = json.dumps({**what, "version": VERSION}, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:20]
    return pathlib.Path(cache, "tfdepthviz", "converted", key)


def record_of(folder):
    """What was written with a conversion; None if there is none, or its sources have changed.

    Args:
      folder: of `folder_of`.
    """
    try:
        record = json.loads((folder / RECORD).read_text())
        is_whole = {"depth_kind", "normalisation", "comparison"} <= record.keys()
        same = all(checksum(path) == digest for path, digest in record["sources"].items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none, or a damaged one
        return None
    return record if is_whole and same else None


def checksum(path):
    """SHA-256 of a file; None if it cannot be read."""
    try:
        return sha256(path)
    except OSError:
        return None


class Reading:
    """Notes the files that Python opens within a `with` block, but those of installed packages.

    Files with weights next to them count as well, because libraries that are not written in Python
    open those.
    """

    def __enter__(self):
        if not _recorders:
            sys.addaudithook(_note)
        self.paths = set()
        _recorders.append(self.paths)
        return self

    def __exit__(self, *_):
        _recorders.remove(self.paths)

    def checksums(self, named):
        """{path: checksum} of the files.

        Args:
          named: path of a file or folder that counts, whether it was opened or not.
        """
        named = os.path.abspath(named)
        paths = {named, *(p for p in map(os.path.abspath, self.paths) if not _is_installed(p))}
        for folder in {p if os.path.isdir(p) else os.path.dirname(p) for p in paths}:
            names = os.listdir(folder)
            paths |= {os.path.join(folder, n) for n in names if n.endswith(WEIGHTS)}
            if folder == named:
                paths |= {os.path.join(folder, n) for n in names}
        return {path: checksum(path) for path in sorted(paths) if os.path.isfile(path)}


def _note(event, arguments):
    """Audit hook, which Python cannot remove; it does nothing while nobody records."""
    if event == "open" and _recorders and isinstance(arguments[0], str | bytes | os.PathLike):
        mode, flags = arguments[1], arguments[2]
        if (mode or "r").startswith("r") and not (flags or 0) & (os.O_WRONLY | os.O_RDWR):
            for paths in _recorders:
                paths.add(os.fsdecode(arguments[0]))


def _is_installed(path):
    """Whether a file belongs to Python, to a package or to the system."""
    roots = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev"}
    inside = any(path.startswith(root.rstrip(os.sep) + os.sep) for root in roots if root)
    return inside or "site-packages" in path or "__pycache__" in path or not os.path.isfile(path)
