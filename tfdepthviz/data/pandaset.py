"""Sequences of PandaSet (Scale AI and Hesai) with their LIDAR projected into the cameras.

    DATA_DIR/[SEQUENCE/]CAMERA/NN.rgb.jpg
    DATA_DIR/[SEQUENCE/]CAMERA/NN.depth.png

Depth files are 16-bit PNG, 256 steps to a metre, 0 = no measurement. There are ten frames a second,
any of which may be absent. PandaSet itself has point clouds; these depth maps are made from them.
"""

import itertools
import os
import re

from tfdepthviz.data import splits
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.data.listing import walk
from tfdepthviz.utils.errors import InputError

METRES_PER_UNIT = {16: 1 / 256}
# Frame numbers before the held-out block that are left out: half a second.
GAP = 5
_NAME = re.compile(r"(\d+)\.(?:rgb\.jpg|depth\.png)")


def files(data_dir: str, split: str | None = None, depth_dir: str | None = None) -> FrameFiles:
    """Files of all cameras, by sequence, camera and time.

    Args:
      data_dir: folder of one sequence or of several, at any depth.
      split: None for all frames; "validation" for the last fifth of each sequence's time, "train"
        for what lies half a second before it. All cameras of a sequence are split at one time,
        because neighbouring frames, and the views of two cameras at one time, are nearly equal.
      depth_dir: a folder laid out like data_dir whose depth maps replace those of data_dir, such
        as the command complete_depth writes. A split that it lacks keeps its own depth.
    Returns:
      FrameFiles.
    Raises:
      InputError: the folder is missing, or holds no frames or too few to hold some out.
    """
    splits.check_split(split)
    if not os.path.isdir(data_dir):
        raise InputError(f"data_dir={data_dir}: no such folder")
    frames = _frames(data_dir)
    if not frames:
        raise InputError(
            f"data_dir={data_dir}: expected CAMERA/NN.rgb.jpg and CAMERA/NN.depth.png, found none"
        )
    chosen = []
    for _, group in itertools.groupby(frames, key=lambda frame: os.path.dirname(frame[0])):
        sequence = list(group)
        numbers = [number for _, number, _ in sequence]
        chosen += [
            os.path.join(camera, name)
            for camera, number, name in sequence
            if split in (None, splits.split_at(number, min(numbers), max(numbers), GAP))
        ]
    if not chosen:
        raise InputError(
            f"data_dir={data_dir}: {len(frames)} frames are too few to hold out the last fifth "
            f"of their time and {GAP} frame numbers before it"
        )
    depths = [f"{path}.depth.png" for path in chosen]
    if depth_dir:
        depths = _replaced(depths, data_dir, depth_dir)
    images = [f"{path}.rgb.jpg" for path in chosen]
    folders = (data_dir, depth_dir) if depth_dir else (data_dir,)
    return FrameFiles(images, depths, METRES_PER_UNIT, folders)


def _frames(data_dir):
    """(folder of the camera, frame number, NN), sorted; one of the two files may be missing."""
    frames = {
        (folder, int(match[1]), match[1])
        for folder, names, left_out in walk(data_dir)
        if not left_out
        for match in map(_NAME.fullmatch, names)
        if match
    }
    # By sequence first: as plain text, 002.old/a sorts between 002/a and 002/b.
    return sorted(frames, key=lambda frame: (*os.path.split(frame[0]), frame[1]))


def _replaced(depths, data_dir, depth_dir):
    replaced = [os.path.join(depth_dir, os.path.relpath(path, data_dir)) for path in depths]
    if any(map(os.path.isfile, replaced)):
        return replaced
    if not any(name.endswith(".depth.png") for _, _, names in os.walk(depth_dir) for name in names):
        raise InputError(
            f"depth_dir={depth_dir}: expected depth maps where data_dir has them, such as "
            f"{replaced[0]}; found none"
        )
    return depths
