"""Raw images of KITTI: the folders they lie in, and the file of each frame.

[FOLDER/]YYYY_MM_DD/DRIVE_sync/CAMERA/data/FRAME.{png,jpg}
"""

import functools
import os
import re

from tfdepthviz.utils.errors import InputError

NUMBERED = re.compile(r"(\d{10})\.(?:png|jpg)")
_DAY = re.compile(r"\d{4}_\d\d_\d\d")


class RawImages:
    """The raw images of a data set; each folder is listed once.

    Args:
      data_dir: folder of the data set, in which or in whose folders they lie.
      also_next_to: whether they may lie next to data_dir, if there are none in it.
    Raises:
      InputError: there are no raw images.
    """

    def __init__(self, data_dir, *, also_next_to):
        self.places = _places(data_dir)
        if not self.places and also_next_to:
            self.places = _places(os.path.dirname(os.path.abspath(data_dir)))
        if not self.places:
            raise InputError(
                f"data_dir={data_dir}: expected raw images YYYY_MM_DD/DRIVE_sync/CAMERA/data/"
                "FRAME.png in it, in a folder in it, or next to it; found no folder YYYY_MM_DD"
            )
        self.camera = functools.cache(self._camera)

    def has(self, drive, camera):
        """Whether there are images of a drive's camera."""
        return bool(self.camera(drive, camera)[1])

    def image(self, frame):
        """Path of a frame's image, in the folder where it should be if it does not exist."""
        folder, files = self.camera(frame.drive, frame.camera)
        return os.path.join(folder, files.get(frame.number, f"{frame.number}.png"))

    def _camera(self, drive, camera):
        """Folder of a camera's images, and its files by frame number."""
        for place in self.places:
            folder = os.path.join(place, drive[:10], drive, camera, "data")
            files = {name[:10]: name for name in names_in(folder) if NUMBERED.fullmatch(name)}
            if files:
                return folder, files
        return os.path.join(self.places[0], drive[:10], drive, camera, "data"), {}


def names_in(folder):
    """Sorted names in a folder; none if there is no such folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _places(root):
    """Those of `root` and the folders in it that hold folders of days."""
    places = [root, *(os.path.join(root, name) for name in names_in(root))]
    return [place for place in places if any(map(_DAY.fullmatch, names_in(place)))]
