"""What flags that take several masks hold: files, separated by commas, and names for them."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

# What `arrays` raises of a file that is not there, none of NumPy's, or damaged.
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def listed(text):
    """The files of --mask_weights or --saved_masks; none for None."""
    return [file for file in (text or "").split(",") if file]


def name_of(file):
    """What a reader calls a file: that of a run by the run's folder."""
    path = Path(file)
    in_run = path.stem in ("mask_net", "masks") and path.parent.name
    return path.parent.name if in_run else path.stem


def arrays(path):
    """Name -> array of an .npz file; raises one of UNREADABLE."""
    # NumPy leaves a file open that it opened and cannot read.
    with open(path, "rb") as file, np.load(file) as archive:
        return dict(archive)
