"""Lists of files in text files, as people and tools of every system write them."""

import codecs
import os

from tfdepthviz.utils.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def lines_of(path: str, name: str = "") -> list[tuple[int, str]]:
    """Number and text of each line that is neither empty nor a comment, which begins with #.

    Args:
      path: text file, UTF-8 or, with a byte-order mark, UTF-16; names that are no UTF-8 are kept.
      name: what messages put before the path, such as "image_list=".
    Raises:
      InputError: it cannot be read, or holds zero bytes, as no text does.
    """
    try:
        with open(path, "rb") as file:
            contents = file.read()
    except OSError as error:
        raise InputError(
            f"{name}{path}: cannot be read as a text file ({error.strerror})"
        ) from error
    for mark, encoding in _MARKS:
        if contents.startswith(mark):
            text = contents[len(mark) :].decode(encoding, "replace")
            break
    else:
        text = contents.decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise InputError(f"{name}{path}: cannot be read as a text file (it holds zero bytes)")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


class Resolver:
    """Paths of a list as paths of this machine.

    Backslashes are slashes. Where a folder has been moved or renamed since the list was written,
    the leading folders of a path that do not exist in it are taken off: `data/nyu2_train/1.jpg`
    lies in nyu2_train of the data set's folder, whatever that is called.

    Args:
      folder: of the data set.
    """

    def __init__(self, folder: str):
        self.folder = os.path.abspath(folder)
        self._folders = {}

    def __call__(self, text: str) -> str:
        """Path of a listed file, in the data set's folder unless the list leads out of it."""
        path = text.replace("\\", "/")
        folder, _, name = path.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = self._resolved(folder, name)
        return os.path.join(self._folders[folder], name)

    def _resolved(self, folder, name):
        place = os.path.join(self.folder, folder)
        parts = [part for part in folder.split("/") if part not in ("", ".")]
        if ".." in parts or os.path.isdir(place):
            return place
        shorter = [os.path.join(self.folder, *parts[n:]) for n in range(1, len(parts) + 1)]
        for one in shorter:
            if os.path.isfile(os.path.join(one, name)):
                return one
        named_alike = parts[:1] == [os.path.basename(self.folder)]
        inside = os.path.isdir(os.path.join(self.folder, *parts[:1]))
        return shorter[0] if named_alike and not inside else place
