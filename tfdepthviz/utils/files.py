"""Files that are written whole, never half, and their sums."""

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil

from tfdepthviz.utils.errors import WriteError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
USUAL = (*NO_ROOM, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EIO)


def write_whole(path, content):
    """Writes text or bytes beside `path` and renames; makes the folder.

    Args:
      path: where the file shall be.
      content: str (written as UTF-8, lines ending in a line feed) or bytes.
    Raises:
      WriteError: the folder cannot be made or written to; what was there before is still there.
    """
    path = pathlib.Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as beside:
            beside.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def check_writable(folder):
    """Whether files could be written into a folder, which need not be there; nothing is made.

    Raises:
      WriteError: it is a file or below one, or on a read-only disk, or belongs to others.
    """
    place = pathlib.Path(os.path.abspath(folder))
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise WriteError(folder, os.strerror(errno.ENOTDIR))
    if not os.access(place, os.W_OK | os.X_OK):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        raise WriteError(folder, os.strerror(errno.EROFS if read_only else errno.EACCES))


@contextlib.contextmanager
def whole(path):
    """Yields where to write a file, which then becomes `path`; after an exception nothing is left.

    Args:
      path: pathlib.Path; the ending of what is yielded is the same.
    """
    beside = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    except BaseException:
        # A file system that cannot be written to has nothing to remove, either.
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writing(path, *kinds):
    """Turns what keeps a file from being written into an error that names it and says why.

    Args:
      path: what is written inside; where one lies within another, the outer one is named.
      kinds: exceptions that mean the same as OSError, such as tf.errors.OpError.
    Raises:
      WriteError: instead of them.
    """
    try:
        yield
    except WriteError as error:
        raise WriteError(path, error.reason) from error
    except (OSError, *kinds) as error:
        raise WriteError(path, _reason(path, error)) from error


def _reason(path, error):
    """Why, in one line; TensorFlow's exceptions have the system's words in a longer text."""
    text = " ".join(str(error).split())
    named = [number for number in USUAL if os.strerror(number) in text]
    number = getattr(error, "errno", None) or next(iter(named), None)
    if number is None:
        return text[:200]
    return os.strerror(number) + (f": {room(path)}" if number in NO_ROOM else "")


def room(path):
    """How much of the disk is free on which a path lies or would lie, in words."""
    folder = pathlib.Path(os.path.abspath(path))
    while not folder.is_dir():
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    return f"{disk.free / 1e6:.2f} of {disk.total / 1e6:.2f} MB are free there"


def sha256(path):
    """Checksum of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()
