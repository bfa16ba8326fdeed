"""KITTI depth (Uhrig et al. 2017) in its official folders.

    DATA_DIR/[data_depth_annotated/]{train,val}/DRIVE_sync/proj_depth/groundtruth/CAMERA/FRAME.png
    DATA_DIR/[FOLDER/]YYYY_MM_DD/DRIVE_sync/CAMERA/data/FRAME.{png,jpg}
    DATA_DIR/[[data_depth_selection/]depth_selection/]val_selection_cropped/
        image/DRIVE_sync_image_FRAME_CAMERA.png
        groundtruth_depth/DRIVE_sync_groundtruth_depth_FRAME_CAMERA.png

CAMERA is image_02 or image_03, FRAME has ten digits. FOLDER is any folder, such as raw. Where
DATA_DIR is data_depth_annotated itself, the raw images may also lie next to it. Depth files are
16-bit PNG, 256 steps to a metre, 0 = no measurement, as for most pixels.
"""

import logging
import os
import re

from tfdepthviz.data import kitti_lists
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.data.kitti_lists import CAMERAS, DRIVE, Frame
from tfdepthviz.data.kitti_raw import NUMBERED, RawImages, names_in
from tfdepthviz.utils.errors import InputError

METRES_PER_UNIT = {16: 1 / 256}
PARTS = {"train": "train", "validation": "val"}
ANNOTATED = ("", "data_depth_annotated")
SELECTION = (
    "",
    "val_selection_cropped",
    "depth_selection/val_selection_cropped",
    "data_depth_selection/val_selection_cropped",
    "data_depth_selection/depth_selection/val_selection_cropped",
)
GROUNDTRUTH = "proj_depth/groundtruth"
_SELECTED = re.compile(rf"({DRIVE})_(?:image|groundtruth_depth)_(\d{{10}})_(image_0[23])\.png")
_log = logging.getLogger(__name__)


def files(
    data_dir: str,
    split: str = "train",
    depth_dir: str | None = None,
    image_list: str | None = None,
) -> FrameFiles:
    """Files of one split, by drive, camera and frame, or in the order of a list.

    Frames of train/ and val/ whose camera has no folder of raw images are left out, and so are
    listed images without a depth map (the first and last five of a drive); a warning says how many.

    Args:
      data_dir: folder of the data set, see above.
      split: "train" for train/; "validation" for the 1,000 cropped frames if they are there, else
        for val/.
      depth_dir: a folder laid out like data_dir whose depth maps replace those of data_dir, such
        as the command complete_depth writes. A split that it lacks keeps its own depth.
      image_list: text file of the raw images to validate on instead, or two files separated by a
        comma: the images to train on and those to validate on; see `kitti_lists`.
    Returns:
      FrameFiles.
    Raises:
      InputError: a folder or list is missing, a line has another form, or no frame is left.
    """
    if split not in PARTS:
        raise ValueError(f'split must be "train" or "validation". Received: {split!r}')
    if not os.path.isdir(data_dir):
        raise InputError(f"data_dir={data_dir}: no such folder")
    depth = _depth_folders(data_dir, depth_dir)
    if image_list:
        pairs = _listed(data_dir, depth, _list_of(image_list, split))
    elif split == "validation" and "selection" in depth:
        pairs = _selected(*depth["selection"])
    else:
        pairs = _annotated(data_dir, depth, PARTS[split])
    # The raw images may lie next to data_dir.
    folders = [data_dir, os.path.dirname(os.path.abspath(data_dir)), *filter(None, [depth_dir])]
    images, depths = ([pair[i] for pair in pairs] for i in (0, 1))
    return FrameFiles(images, depths, METRES_PER_UNIT, tuple(folders))


def _depth_folders(data_dir, depth_dir):
    """Part of the data set -> (folder to list, folder to read depth from)."""
    own = _parts(data_dir)
    if not depth_dir:
        return {part: (folder, folder) for part, folder in own.items()}
    other = _parts(depth_dir)
    if not other:
        raise InputError(
            f"depth_dir={depth_dir}: expected depth maps where data_dir has them, such as "
            f"train/DRIVE_sync/{GROUNDTRUTH}/image_02/FRAME.png; found none"
        )
    # The data set's own depth maps say which ones there must be.
    return {
        part: (own.get(part, other.get(part)), other.get(part, own.get(part)))
        for part in {**own, **other}
        # The selection's images lie next to its own depth.
        if part != "selection" or part in own
    }


def _parts(root):
    """Which of "train", "val" and "selection" `root` holds -> their folders."""
    parts = {}
    for part in PARTS.values():
        for folder in (os.path.join(root, place, part) for place in ANNOTATED):
            drives = (os.path.join(folder, name, GROUNDTRUTH) for name in names_in(folder))
            if part not in parts and any(map(os.path.isdir, drives)):
                parts[part] = folder
    for folder in (os.path.join(root, place) for place in SELECTION):
        if "selection" not in parts and os.path.isdir(os.path.join(folder, "groundtruth_depth")):
            parts["selection"] = folder
    return parts


def _selected(folder, depth_folder):
    """(image, depth) of the cropped selection; one of the two files may be missing."""
    frames = {
        Frame(match[1], match[3], match[2])
        for kind in ("image", "groundtruth_depth")
        for match in map(_SELECTED.fullmatch, names_in(os.path.join(folder, kind)))
        if match
    }
    if not frames:
        raise InputError(f"{folder}: expected image/DRIVE_sync_image_FRAME_CAMERA.png, found none")

    def path(root, kind, frame):
        return os.path.join(root, kind, f"{frame.drive}_{kind}_{frame.number}_{frame.camera}.png")

    return [
        (path(folder, "image", frame), path(depth_folder, "groundtruth_depth", frame))
        for frame in sorted(frames)
    ]


def _annotated(data_dir, depth, part):
    """(image, depth) of the frames in train/ or val/ whose camera has raw images."""
    if part not in depth:
        selection = "val_selection_cropped/groundtruth_depth or " if part == "val" else ""
        raise InputError(
            f"data_dir={data_dir}: expected {selection}{part}/DRIVE_sync/{GROUNDTRUTH} in it, or "
            f"in its {ANNOTATED[1]}; found none"
        )
    listed, read_from = depth[part]
    raw, pairs, left_out = _raw_images(data_dir), [], []
    for drive in names_in(listed):
        for camera in CAMERAS:
            folder = os.path.join(drive, GROUNDTRUTH, camera)
            names = [n for n in names_in(os.path.join(listed, folder)) if NUMBERED.fullmatch(n)]
            paths = [os.path.join(read_from, folder, name) for name in names]
            if raw.has(drive, camera):
                images = (raw.image(Frame(drive, camera, name[:10])) for name in names)
                pairs += zip(images, paths, strict=True)
            else:
                left_out += paths
    if not pairs:
        raise InputError(
            f"{listed}: none of its {len(left_out)} depth maps has an image in "
            f"YYYY_MM_DD/DRIVE_sync/CAMERA/data below {raw.places[0]}"
        )
    _say_left_out(listed, "depth maps", "raw images", pairs, left_out)
    return pairs


def _listed(data_dir, depth, path):
    """(image, depth) of the frames in a text file that have depth."""
    frames = kitti_lists.read(path)
    folders = [depth[part] for part in PARTS.values() if part in depth]
    if not folders:
        raise InputError(
            f"data_dir={data_dir}: expected depth maps of the listed images in train/ or val/, "
            f"such as train/DRIVE_sync/{GROUNDTRUTH}/image_02/FRAME.png; found none"
        )
    raw, pairs, left_out = _raw_images(data_dir), [], []
    for frame, has_depth in frames:
        inside = os.path.join(frame.drive, GROUNDTRUTH, frame.camera, f"{frame.number}.png")
        holding = (read for own, read in folders if os.path.isfile(os.path.join(own, inside)))
        folder = next(holding, None) if has_depth else None
        if folder is None:
            left_out.append(raw.image(frame))
        else:
            pairs.append((raw.image(frame), os.path.join(folder, inside)))
    if not pairs:
        raise InputError(
            f"{path}: none of its {len(frames)} images has a depth map in train/, val/"
        )
    _say_left_out(path, "images", "depth map", pairs, left_out)
    return pairs


def _raw_images(data_dir):
    # Where data_dir is data_depth_annotated itself, the raw images may lie next to it.
    return RawImages(data_dir, also_next_to=bool(_parts(data_dir)))


def _list_of(image_list, split):
    lists = image_list.split(",")
    if len(lists) > 2 or (split == "train" and len(lists) < 2):
        raise InputError(
            f"image_list={image_list}: expected TRAINING_LIST,VALIDATION_LIST, or one list where "
            f"nothing is trained; received {len(lists)}"
        )
    return lists[0] if split == "train" else lists[-1]


def _say_left_out(where, what, lacking, kept, left_out):
    if left_out:
        _log.warning(
            f"{where}: of {len(kept) + len(left_out)} {what} {len(left_out)} have no {lacking} and "
            f"are left out, such as {left_out[0]}"
        )
