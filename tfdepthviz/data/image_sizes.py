"""The size that an image file states in its header, read without decoding.

A file of 20 KB may claim 60000x60000 pixels; decoding it would take 10 GB. All formats of
TensorFlow's DecodeImage are covered.
"""

import struct

from tfdepthviz.utils.errors import InputError

# Limit for images in files, where Pillow begins to warn. A server has a limit of its own.
MOST_PIXELS = 89_478_485
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Markers that start a frame of a JPEG and state its size. C4, C8 and CC mean something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length: TEM, RST0 to RST7, SOI.
_BARE = frozenset([0x01, *range(0xD0, 0xD9)])


def stated_size(contents):
    """(width, height) that a PNG, JPEG, GIF, BMP or WebP file states; None: no such header."""
    try:
        if contents.startswith(PNG_SIGNATURE):
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
        pass  # cut off: the decoder will say so
    return None


def check_size(name, size):
    """Refuses an image that would take gigabytes to decode.

    Args:
      name: of the file, for the message.
      size: (width, height) that it states, or None.
    Raises:
      InputError: no size, no pixels, or more than MOST_PIXELS.
    """
    if size is None:
        raise InputError(f"{name}: cannot be read as an image (its header states no size)")
    width, height = size
    if not 0 < width * height <= MOST_PIXELS:
        raise InputError(
            f"{name}: states {width}x{height} pixels; expected at least one and at most "
            f"{MOST_PIXELS}"
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
