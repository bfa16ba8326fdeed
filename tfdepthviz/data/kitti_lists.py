"""Lists of KITTI frames in text files, one frame per line, as splits are published.

    2011_09_26/2011_09_26_drive_0002_sync/image_02/data/0000000069.png [DEPTH [...]]
    2011_09_26/2011_09_26_drive_0022_sync 473 r

The first form is that of the Eigen split with ground truth. DEPTH is None where there is none, or
DRIVE/proj_depth/groundtruth/CAMERA/FRAME.png, or the other camera's image, which is ignored, as is
all that follows (a focal length). The second form is that of Monodepth2: l is image_02, r is
image_03. Folders before the drive's name are ignored, and .jpg is read as .png.
"""

import re
from typing import NamedTuple

from tfdepthviz.data.lists import lines_of
from tfdepthviz.utils.errors import InputError

DRIVE = r"\d{4}_\d\d_\d\d_drive_\d{4}_sync"
CAMERAS = ("image_02", "image_03")
FORMS = "`DAY/DRIVE_sync/image_02/data/FRAME.png [DEPTH]` or `DAY/DRIVE_sync FRAME l|r`"
_FRAME = rf"(?:.*/)?({DRIVE})/%s(image_0[23])/%s(\d{{10}})\.(?:png|jpg)"
_IMAGE = re.compile(_FRAME % ("", "data/"))
_DEPTH = re.compile(_FRAME % ("proj_depth/groundtruth/", ""))
_SIDE = re.compile(rf"(?:.*/)?({DRIVE}) (\d{{1,10}}) ([lr])")


class Frame(NamedTuple):
    """One image of a drive: 2011_09_26_drive_0001_sync, image_02, 0000000005."""

    drive: str
    camera: str
    number: str


def read(path: str) -> list[tuple[Frame, bool]]:
    """Reads the frames of a list in its order, and whether each may have depth.

    Args:
      path: the text file; empty lines and lines that begin with # are ignored.
    Returns:
      list of (frame, False where the list itself says that there is no depth).
    Raises:
      InputError: no such file, no text, a line of another form, or no frame.
    """
    frames = []
    for place, (number, line) in enumerate(lines_of(path, "image_list=")):
        fields = line.replace("\\", "/").split()
        frame = _frame(fields)
        if frame is None and place == 0 and "/" not in line.replace("\\", "/"):
            continue  # a heading
        if frame is None:
            raise InputError(f"{path}, line {number}: expected {FORMS}; received {line!r}")
        frames.append((frame, fields[1:2] != ["None"]))
    if not frames:
        raise InputError(f"image_list={path}: lists no frame; expected lines {FORMS}")
    return frames


def _frame(fields: list[str]) -> Frame | None:
    if match := _SIDE.fullmatch(" ".join(fields)):
        drive, number, side = match.groups()
        return Frame(drive, CAMERAS["lr".index(side)], number.zfill(10))
    if not (match := _IMAGE.fullmatch(fields[0])):
        return None
    frame = Frame(*match.groups())
    if len(fields) == 1 or fields[1] == "None" or _IMAGE.fullmatch(fields[1]):
        return frame
    depth = _DEPTH.fullmatch(fields[1])
    return frame if depth and Frame(*depth.groups()) == frame else None
