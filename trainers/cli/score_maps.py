"""Score maps: what other programs say of each pixel, in folders that --maps names."""

import functools
from pathlib import Path

import numpy as np

from tfdepthviz.reports.comparison_figures import NAMES
from tfdepthviz.utils.arrays import MOST_BYTES
from tfdepthviz.utils.errors import InputError


def map_functions(text, size, places, taken=()):
    """Score maps to compare, by the names of their folders.

    Args:
      text: --maps: folders separated by commas, each with NUMBER.npy of every compared frame.
      size: (H, W), the image that N sees.
      places: numbers of the compared frames in their data set.
      taken: names of masks.
    Returns:
      dict of name -> function of (image, first) -> (B, H, W, 1) scores, high = kept first.
    Raises:
      InputError: names the folder or file that is wrong.
    """
    functions = {}
    for folder in filter(None, (text or "").split(",")):
        name = Path(folder).resolve().name
        if name in {*functions, *taken, *NAMES}:
            raise InputError(
                f"--maps={folder}: expected folders with names of their own, none of a mask or a "
                f"control. Received: {name}"
            )
        for path in files_of(folder, places):
            _read(path, size)
        functions[name] = functools.partial(_scores, folder, size, places)
    return functions


def files_of(folder, places):
    """The files of a folder of --maps, in the order of the frames."""
    return [Path(folder) / f"{place}.npy" for place in places]


def _scores(folder, size, places, image, first):
    paths = files_of(folder, places[first : first + len(image)])
    return np.stack([_read(path, size) for path in paths])[..., None]


def _read(path, size):
    """(H, W) float32 of a file, which is not trusted."""
    expected = f"expected an array of {size[0]}x{size[1]} finite numbers"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"--maps: {expected}. Received: {path} ({error})") from error
    shape = getattr(values, "shape", "an archive")
    if shape not in (tuple(size), (*size, 1)):
        raise InputError(f"--maps: {expected}. Received: {path}, {shape}")
    if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise InputError(f"--maps: {expected}. Received: {path}, {values.dtype}, not all finite")
    return values.reshape(size).astype("float32")
