"""Any folder of images without depth: enough to train a mask generator and to look at masks.

    DATA_DIR/**/*.{jpg,jpeg,jfif,png,webp,bmp,tif,tiff}, and heic where pillow-heif is installed

The mask generator learns from the depth network's output, not from ground truth. Only the accuracy
against ground truth cannot be measured.
"""

import os

from tfdepthviz.data import image_files, splits
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.utils.errors import InputError


def files(data_dir: str, split: str | None = None) -> FrameFiles:
    """Files of all images in a folder and its subfolders, sorted by path.

    Args:
      data_dir: the folder.
      split: None for all images; "validation" for the last tenth in order, "train" for the rest.
        A block at the end, because neighbouring files are often neighbouring frames of one video.
    Returns:
      FrameFiles without depth.
    Raises:
      InputError: no such folder, not a folder, or too few images in it.
    """
    if not os.path.exists(data_dir):
        raise InputError(f"data_dir={data_dir}: no such folder")
    if not os.path.isdir(data_dir):
        raise InputError(f"data_dir={data_dir}: expected a folder of images, received a file")
    images = image_paths(data_dir)
    if not images:
        raise InputError(
            f"data_dir={data_dir}: expected {', '.join(image_files.suffixes())} files, found none"
        )
    if split is None:
        return FrameFiles(images, folders=(data_dir,))
    splits.check_split(split)
    if len(images) < 2:
        raise InputError(
            f"data_dir={data_dir}: expected at least 2 images, one of them to validate on; "
            "received 1"
        )
    return FrameFiles(splits.files_of(split, images), folders=(data_dir,))


def image_paths(data_dir: str) -> list[str]:
    """Paths of all images in a folder and its subfolders, sorted."""
    return sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(data_dir)
        for name in names
        # Copies from macOS hold a hidden ._NAME.jpg of settings next to each NAME.jpg.
        if name.lower().endswith(image_files.suffixes()) and not name.startswith(".")
    )
