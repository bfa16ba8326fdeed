"""NYU Depth v2 in the CSV layout of the paper's authors.

    DATA_DIR/nyu2_train.csv   rows `image.jpg,depth.png`, no header
    DATA_DIR/nyu2_test.csv

Paths are relative to DATA_DIR, or to its parent where they begin with DATA_DIR's own name (the
authors' `data/nyu2_train/...`). Depth files of 8 bits hold metres * 255 / 10, files of 16 bits hold
millimetres; each file's own header decides.
"""

import csv
import os

from tfdepthviz.data.frame_files import CONTROL, FrameFiles
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
    images, depths = [], []
    for number, row in _rows(path):
        if len(row) != 2 or not all(row) or any(map(CONTROL.search, row)):
            raise InputError(
                f"{path}, line {number}: expected `image,depth`; received {','.join(row)!r}"
            )
        images.append(_resolve(data_dir, row[0]))
        depths.append(_resolve(data_dir, row[1]))
    if not images:
        raise InputError(f"{path}: lists no pairs")
    return FrameFiles(images, depths, METRES_PER_UNIT, (data_dir,))


def _rows(path: str) -> list[tuple[int, list[str]]]:
    """Line number and fields of each row that is not empty."""
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.reader(file)
            return [(reader.line_num, [field.strip() for field in row]) for row in reader if row]
    except (OSError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV file ({error})") from error


def _resolve(data_dir: str, relative: str) -> str:
    folder = os.path.abspath(data_dir)
    first = relative.replace("\\", "/").split("/")[0]
    if first == os.path.basename(folder) and not os.path.exists(os.path.join(folder, first)):
        folder = os.path.dirname(folder)
    return os.path.join(folder, relative)
