"""Image files of every format that TensorFlow decodes, and files that state a false size."""

import io
import struct
import zlib

from PIL import Image

SIZE = (97, 31)


def file_of(kind, size=SIZE, **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, (9, 99, 200)).save(buffer, kind, **options)
    return buffer.getvalue()


FILES = {
    "PNG": file_of("PNG"),
    "JPEG": file_of("JPEG"),
    "progressive JPEG": file_of("JPEG", progressive=True),
    "JPEG with Exif": file_of("JPEG", exif=b"Exif\0\0" + b"\xff\xc0\xff\xd8" * 50),
    "GIF": file_of("GIF"),
    "BMP": file_of("BMP"),
    "WebP": file_of("WEBP"),
    "lossless WebP": file_of("WEBP", lossless=True),
    "WebP with alpha": file_of("WEBP", exif=b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0"),
}


def claiming(width, height, bits=8, colour_type=2):
    """A PNG of a few bytes that states a size, with a valid checksum; colour type 0 is grey."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum


def claiming_jpeg(width, height):
    """A JPEG whose frame header states another size than its data has."""
    contents = file_of("JPEG")
    place = contents.index(struct.pack(">HH", *SIZE[::-1]))
    return contents[:place] + struct.pack(">HH", height, width) + contents[place + 4 :]
