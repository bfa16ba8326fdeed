"""Image files of every format that TensorFlow decodes, and one that lies about its size."""

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


def claiming(width, height):
    """A PNG of a few bytes that claims a size, checksum and all."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum
