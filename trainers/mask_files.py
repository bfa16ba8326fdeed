"""What flags that take several masks hold: files, separated by commas, and names for them."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

# What `arrays` raises of a file that is not there, none of NumPy's, or damaged.
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
# Of what an archive unpacks to: 15,000 masks of 228x304 in float32.
MOST_BYTES = 2**32


def listed(text):
    """The files of --mask_weights or --saved_masks; none for None."""
    return [file for file in (text or "").split(",") if file]


def name_of(file):
    """What a reader calls a file: that of a run by the run's folder."""
    path = Path(file)
    in_run = path.stem in ("mask_net", "masks") and path.parent.name
    return path.parent.name if in_run else path.stem


def arrays(path, names=None):
    """Name -> array of an .npz file, of all or these; raises one of UNREADABLE."""
    # NumPy leaves a file open that it opened and cannot read; of an .npy it makes no archive.
    with open(path, "rb") as file, zipfile.ZipFile(file), np.load(file) as archive:
        names = archive.files if names is None else names
        size = sum(archive.zip.getinfo(f"{name}.npy").file_size for name in names)
        if size > MOST_BYTES:
            raise ValueError(f"unpacks to {size} bytes, at most {MOST_BYTES} are read")
        return {name: archive[name] for name in names}
