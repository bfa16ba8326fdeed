"""The size that an image file states in its header, without decoding anything.

A file of 20 KB may claim 60000x60000 pixels; decoding it would take 10 GB. Every format that
TensorFlow's DecodeImage knows is looked at.
"""

import itertools
import struct

import numpy as np

from tfdepthviz.serving.status import invalid

# Markers of a JPEG that start a frame: they state its size. C4, C8 and CC mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length: TEM, RST0 to RST7, SOI.
_BARE = frozenset([0x01, *range(0xD0, 0xD9)])


def stated_size(contents):
    """(width, height) that a PNG, JPEG, GIF, BMP or WebP file states; None: no such header."""
    try:
        if contents.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack_from(">II", contents, 16)
        if contents.startswith(b"\xff\xd8\xff"):
            return _jpeg(contents)
        if contents.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack_from("<HH", contents, 6)
        if contents.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", contents, 18)
            return abs(width), abs(height)
        if contents.startswith(b"RIFF") and contents[8:12] == b"WEBP":
            return _webp(contents)
    except (struct.error, IndexError):
        pass  # cut off: the decoder says what is wrong with it
    return None


def check_pixels(arrays, max_pixels):
    """Refuses images of too many pixels: one alone, or all of a request, decoded side by side.

    Args:
      arrays: NumPy arrays; bytes in those of dtype object are looked at.
      max_pixels: the most that the images may state together.
    Raises:
      StatusError: INVALID_ARGUMENT, with the size stated.
    """
    files = (a.flat for a in arrays if isinstance(a, np.ndarray) and a.dtype == object)
    check_files(itertools.chain.from_iterable(files), max_pixels)


def check_files(files, max_pixels):
    """The same for contents of files: those that are no images do not count."""
    total = 0
    for contents in files:
        size = stated_size(contents) if isinstance(contents, bytes) else None
        if not size:
            continue
        total += size[0] * size[1]
        if size[0] * size[1] > max_pixels:
            raise invalid(
                f"image of {size[0]}x{size[1]} pixels is too large: at most {max_pixels} pixels "
                "are decoded (--max_image_pixels)"
            )
        if total > max_pixels:
            raise invalid(
                f"images of together {total} pixels or more are too large: at most {max_pixels} "
                "pixels are decoded for a request (--max_image_pixels)"
            )


def _jpeg(contents):
    """Size in the first frame header; segments before it are skipped by their lengths."""
    at = 2
    while True:
        # Anything up to a marker is skipped, as libjpeg does.
        at = contents.find(b"\xff", at)
        if at < 0:
            return None
        marker = contents[at + 1]
        if marker in (0xFF, 0x00):
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", contents, at + 5)
            return width, height
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", contents, at + 2)[0]


def _webp(contents):
    kind = contents[12:16]
    if kind == b"VP8X" and len(contents) >= 30:
        width, height = (int.from_bytes(contents[i : i + 3], "little") + 1 for i in (24, 27))
        return width, height
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", contents, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", contents, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
