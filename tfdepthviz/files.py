"""Files that are written whole, never half, and their sums."""

import hashlib
import os
import pathlib


def write_whole(path, content):
    """Writes text or bytes beside `path` and renames; makes the folder.

    Args:
      path: where the file shall be.
      content: str (written as UTF-8, lines ending in a line feed) or bytes.
    Raises:
      OSError: the folder cannot be made or written to.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def sha256(path):
    """Checksum of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
