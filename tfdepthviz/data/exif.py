"""The EXIF orientation of JPEG and PNG files, read from their bytes without decoding."""

import struct

from tfdepthviz.data.image_sizes import PNG_SIGNATURE

ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"
_START_OF_SCAN, _APP1 = 0xDA, 0xE1


def orientation(contents):
    """EXIF orientation, 1 to 8; 1 (upright) for a file that states none, or none that can be read.

    Args:
      contents: bytes of the file.
    """
    try:
        if contents.startswith(PNG_SIGNATURE):
            return _of_block(_png_block(contents))
        if contents.startswith(b"\xff\xd8"):
            return _of_block(_jpeg_block(contents))
    except (struct.error, IndexError):
        pass  # damaged metadata is no reason to refuse a photograph
    return 1


def _png_block(contents):
    """The eXIf chunk, which may also follow the pixels."""
    at = len(PNG_SIGNATURE)
    while at < len(contents):
        length, kind = struct.unpack_from(">I4s", contents, at)
        if kind == b"eXIf":
            return contents[at + 8 : at + 8 + length].removeprefix(_EXIF)
        at += 12 + length
    return b""


def _jpeg_block(contents):
    """The first segment of EXIF data before the pixels."""
    at = 2
    while contents[at] == 0xFF:
        marker = contents[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _START_OF_SCAN:
            break
        length = struct.unpack_from(">H", contents, at + 2)[0]
        block = contents[at + 4 : at + 2 + length]
        if marker == _APP1 and block.startswith(_EXIF):
            return block.removeprefix(_EXIF)
        at += 2 + length
    return b""


def _of_block(block):
    """Orientation in a block of EXIF data, which has the form of a TIFF file."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, first)
    for entry in range(count):
        tag, _, _, value = struct.unpack_from(f"{order}HHIH", block, first + 2 + 12 * entry)
        if tag == ORIENTATION:
            return value if 1 <= value <= 8 else 1
    return 1
