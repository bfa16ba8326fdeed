"""Files and folders that are written whole or not at all; checks and checksums of files."""

import contextlib
import errno
import hashlib
import os
import pathlib
import shutil

from tfdepthviz.utils.errors import WriteError, one_line

# Name of the empty file that marks the output folders of commands.
OUTPUT_MARK = ".tfdepthviz-output"
# The system's errors whose text `writing` also looks for in the messages of TensorFlow.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
USUAL = (*NO_ROOM, errno.EFBIG, errno.EROFS, errno.EACCES, errno.ENOTDIR, errno.EIO)


def write_whole(path, content):
    """Writes text or bytes to a file, whole or not at all; makes its folder.

    Args:
      path: the file.
      content: str (written as UTF-8, lines end in a line feed) or bytes.
    Raises:
      WriteError: the folder cannot be made or written to; an older file at `path` is kept.
    """
    path = pathlib.Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            # A name of a file that is not UTF-8 stands there with backslashes.
            is_text = isinstance(content, str)
            partial.write_bytes(content.encode("utf-8", "backslashreplace") if is_text else content)


def check_writable(folder):
    """Checks that files can be written into a folder; makes nothing.

    Args:
      folder: it need not exist.
    Raises:
      WriteError: it is a file or below one, on a read-only disk, or belongs to others.
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
def whole_file(path):
    """Yields a hidden path to write a file to, and then renames it to `path`.

    After an exception the hidden file is removed, and `path` is left as it was.

    Args:
      path: pathlib.Path; the hidden path has the same ending.
    """
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        # On a file system that cannot be written to there is nothing to remove.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def whole_folder(path):
    """Yields a hidden path to make a folder at, and then renames it to `path`.

    After an exception the hidden folder is removed.

    Args:
      path: pathlib.Path of a folder that does not exist, or is empty.
    """
    with partial_folder(path) as partial:
        yield partial
        os.rename(partial, path)


@contextlib.contextmanager
def partial_folder(path):
    """Yields a hidden path to make a folder at, which is removed unless it is renamed inside.

    `whole_folder` renames it; use this one where the final name is known only at the end.

    Args:
      path: pathlib.Path; the hidden path lies next to it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def writing(path, *kinds):
    """Turns a failure to write into an error that names the file and the reason.

    Args:
      path: what is written inside; of nested uses, the outer one's path is named.
      kinds: exceptions that count as failures like OSError, such as tf.errors.OpError.
    Raises:
      WriteError: instead of the exceptions above.
    """
    try:
        yield
    except WriteError as error:
        raise WriteError(path, error.reason) from error
    except (OSError, *kinds) as error:
        raise WriteError(path, _reason(path, error)) from error


def _reason(path, error):
    """The reason on one line; TensorFlow's exceptions hold the system's words in a longer text."""
    text = one_line(error)
    named = [number for number in USUAL if os.strerror(number) in text]
    number = getattr(error, "errno", None) or next(iter(named), None)
    if number is None:
        return text[:200]
    return os.strerror(number) + (f": {room(path)}" if number in NO_ROOM else "")


def room(path):
    """The free room of the disk on which a path lies or would lie, in words."""
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
