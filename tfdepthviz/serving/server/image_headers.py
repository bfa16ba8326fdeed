"""Limit on the pixels of a request's images, read from their headers before decoding."""

import itertools

import numpy as np

from tfdepthviz.data.image_sizes import stated_size
from tfdepthviz.serving.server.status import invalid


def check_pixels(arrays, max_pixels):
    """Refuses images of too many pixels, alone or together: a request's images are all in memory.

    Args:
      arrays: NumPy arrays; only bytes in arrays of dtype object can be images.
      max_pixels: most pixels that the images may have together.
    Raises:
      StatusError: INVALID_ARGUMENT, with the size that the header states.
    """
    files = (a.flat for a in arrays if isinstance(a, np.ndarray) and a.dtype == object)
    check_files(itertools.chain.from_iterable(files), max_pixels)


def check_files(files, max_pixels):
    """Does the same for the contents of files; contents that are no image do not count."""
    total = 0
    for contents in files:
        size = stated_size(contents) if isinstance(contents, bytes) else None
        if not size:
            continue
        total += size[0] * size[1]
        if size[0] * size[1] > max_pixels:
            raise invalid(
                f"image of {size[0]}x{size[1]} pixels is too large: at most {max_pixels} pixels "
                "are decoded (max_image_pixels)"
            )
        if total > max_pixels:
            raise invalid(
                f"images of together {total} pixels or more are too large: at most {max_pixels} "
                "pixels are decoded for a request (max_image_pixels)"
            )
