"""Arrays in .npz files, which may be damaged or come from strangers."""

import zipfile
import zlib

import numpy as np

# What `read_arrays` raises of a file that is not there, none of NumPy's, or damaged.
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
# Of what an archive unpacks to: 15,000 masks of 228x304 in float32.
MOST_BYTES = 2**32


def read_arrays(path, names=None):
    """Name -> array of an .npz file, of all or these; raises one of UNREADABLE."""
    # NumPy leaves a file open that it opened and cannot read; of an .npy it makes no archive.
    with open(path, "rb") as file, zipfile.ZipFile(file), np.load(file) as archive:
        names = archive.files if names is None else names
        size = sum(archive.zip.getinfo(f"{name}.npy").file_size for name in names)
        if size > MOST_BYTES:
            raise ValueError(f"unpacks to {size} bytes, at most {MOST_BYTES} are read")
        return {name: archive[name] for name in names}
