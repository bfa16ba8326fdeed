"""Any folder of images without depth: enough to train a mask generator and to look at masks.

    DATA_DIR/**/*.{jpg,jpeg,jfif,png,webp,bmp,tif,tiff}, and heic with the extra `heic`

The mask generator learns from the depth network's output, not from ground truth. Only the accuracy
against ground truth cannot be measured.
"""

import os

from tfdepthviz.data import image_files, splits
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.data.listing import Listing, images_in
from tfdepthviz.utils.errors import InputError


def files(data_dir: str, split: str | None = None, follow_links: bool = False) -> FrameFiles:
    """Files of all images in a folder and its subfolders, sorted by path; see `listing`.

    Args:
      data_dir: the folder, or one image file.
      split: None for all images; "validation" for the last tenth in order, "train" for the rest.
        A block at the end, because neighbouring files are often neighbouring frames of one video.
        A single image is the validation split.
      follow_links: whether linked folders contribute images, too.
    Returns:
      FrameFiles without depth.
    Raises:
      InputError: no such folder, not a folder, or too few images in it.
    """
    splits.check_split(split)
    if not os.path.exists(data_dir):
        raise InputError(f"data_dir={data_dir}: no such folder")
    if os.path.isdir(data_dir):
        listing = images_in(data_dir, follow_links)
    elif data_dir.lower().endswith(image_files.suffixes()):
        listing = Listing([data_dir], {})
    else:
        raise InputError(
            f"data_dir={data_dir}: expected a folder of images or one image, received another file"
        )
    left_out = listing.left_out_in_words()
    if not listing.images:
        raise InputError(
            f"data_dir={data_dir}: expected {', '.join(image_files.suffixes())} files, found none"
            + (f"; {left_out}" if left_out else "")
        )
    if split == "train" and len(listing.images) < 2:
        raise InputError(
            f"data_dir={data_dir}: expected at least 2 images to train, one of them to validate "
            "on; received 1"
        )
    chosen = splits.files_of(split, listing.images)
    note = splits.in_words(split, len(chosen), len(listing.images), "images")
    note = "; ".join(filter(None, (note, left_out)))
    folder = data_dir if os.path.isdir(data_dir) else os.path.dirname(data_dir) or "."
    return FrameFiles(chosen, folders=(folder,), note=note)
