"""NYU Depth v2 in the CSV layout of the paper's authors.

    DATA_DIR/nyu2_train.csv   rows `image.jpg,depth.png`, with a heading or without
    DATA_DIR/nyu2_test.csv

Paths are relative to DATA_DIR; leading folders that it does not hold, as in the authors'
`data/nyu2_train/...`, are taken off. Depth files of 8 bits hold metres * 255 / 10, files of 16 bits
hold millimetres; each file's own header decides.
"""

import csv
import os

from tfdepthviz.data import image_files
from tfdepthviz.data.frame_files import CONTROL, FrameFiles
from tfdepthviz.data.lists import Resolver, lines_of
from tfdepthviz.utils.errors import InputError

METRES_PER_UNIT = {8: 10.0 / 255.0, 16: 0.001}
CSV_FILES = {"train": "nyu2_train.csv", "validation": "nyu2_test.csv"}


def files(data_dir: str, split: str = "train") -> FrameFiles:
    """Files of one split, in the order of its CSV file.

    Args:
      data_dir: folder that holds the CSV files.
      split: "train" or "validation" (the test list; the paper has no other).
    Returns:
      FrameFiles, a frame for each row.
    Raises:
      InputError: the folder or CSV file is missing, or a row is not `image,depth`.
    """
    path = os.path.join(data_dir, CSV_FILES[split])
    if not os.path.isfile(path):
        raise InputError(f"data_dir={data_dir}: expected {CSV_FILES[split]} in it, found none")
    resolve, images, depths = Resolver(data_dir), [], []
    for number, row in _rows(path):
        if not images and len(row) == 2 and not any(map(_is_image, row)):
            continue  # a heading
        if len(row) != 2 or not all(row) or any(map(CONTROL.search, row)):
            raise InputError(
                f"{path}, line {number}: expected `image,depth`; received {','.join(row)!r}"
            )
        images.append(resolve(row[0]))
        depths.append(resolve(row[1]))
    if not images:
        raise InputError(f"{path}: lists no pairs")
    return FrameFiles(images, depths, METRES_PER_UNIT, (data_dir,))


def _rows(path: str) -> list[tuple[int, list[str]]]:
    """Line number and fields of each row that is not empty."""
    rows = [(number, next(csv.reader([line]))) for number, line in lines_of(path)]
    return [(number, [field.strip() for field in row]) for number, row in rows]


def _is_image(field: str) -> bool:
    return field.lower().endswith(image_files.suffixes())
