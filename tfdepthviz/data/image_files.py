"""The one decoder of image files: upright RGB from whatever cameras and tools write.

JPEG and PNG are decoded by TensorFlow, as exported models decode them; other formats by Pillow. An
image is turned as its EXIF orientation says. 16 bits are scaled to 8, palettes are looked up, alpha
is taken off as it is, CMYK becomes RGB. Colour profiles are ignored, as exported models do.
"""

import contextlib
import functools
import importlib.util
import io
import os
import pathlib

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, UnidentifiedImageError

from tfdepthviz.data import exif
from tfdepthviz.data.image_sizes import PNG_SIGNATURE, check_size, stated_size
from tfdepthviz.utils.errors import InputError, one_line

# Endings of the files that a folder contributes; the content of a file decides how it is decoded.
SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff")
# Read where the extra `heic` is installed.
HEIF_SUFFIXES = (".heic", ".heif")
# Formats in Pillow's words.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "HEIF")
_BY_TENSORFLOW = (PNG_SIGNATURE, b"\xff\xd8\xff")
_IN_16_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
# EXIF orientation -> how stored pixels become upright ones.
_TURNS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}


def read(path):
    """Reads one image file.

    Args:
      path: str, bytes or pathlib.Path.
    Returns:
      (H, W, 3) uint8 RGB, upright.
    Raises:
      InputError: no such file, or as `decode`.
    """
    path = os.fsdecode(path)
    return decode(contents_of(path), path)


def read_paired(path):
    """Reads the image of a depth map as `read` does, and refuses one that EXIF turns.

    Depth files state no orientation: some tools write them upright, others as the image's pixels
    are stored.
    """
    path = os.fsdecode(path)
    contents = contents_of(path)
    if (value := orientation(contents, path)) != 1:
        raise InputError(
            f"{path}: its EXIF orientation {value} turns the image, and nothing says whether its "
            "depth map is turned, too; store both upright, without orientation"
        )
    return decode(contents, path)


def contents_of(path):
    """Bytes of a file; InputError if it cannot be read."""
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def decode(contents, name):
    """Decodes one image.

    Args:
      contents: bytes of the file.
      name: what messages call it.
    Returns:
      (H, W, 3) uint8 RGB, upright.
    Raises:
      InputError: no image of a known format, no size in its header, damaged, or of more than
        MOST_PIXELS.
    """
    with _refusals(name):
        if not contents.startswith(_BY_TENSORFLOW):
            with _opened(contents, name) as image:
                return _rgb(image, name)
        check_size(name, stated_size(contents))
        rgb = tf.io.decode_image(contents, channels=3, expand_animations=False).numpy()
        return np.ascontiguousarray(_TURNS[exif.orientation(contents)](rgb))


def described(contents, name):
    """Size that a file states, (width, height), and its format and mode in words.

    Args:
      contents, name: as for `decode`.
    """
    with _refusals(name), _opened(contents, name) as image:
        return image.size, f"{image.format} of mode {image.mode}"


def orientation(contents, name):
    """EXIF orientation of an image file, 1 to 8; 1 is upright.

    Args:
      contents, name: as for `decode`.
    """
    if contents.startswith(_BY_TENSORFLOW):
        return exif.orientation(contents)
    with _refusals(name), _opened(contents, name) as image:
        # pillow-heif turns an image itself, and keeps here what the file says.
        original = image.info.get("original_orientation")
        return original or image.getexif().get(exif.ORIENTATION, 1)


def is_plain(contents):
    """Whether every exported model decodes a file to what `decode` gives; old ones know no EXIF."""
    return contents.startswith(_BY_TENSORFLOW) and exif.orientation(contents) == 1


def suffixes():
    """Endings of image files that can be read here."""
    return SUFFIXES + (HEIF_SUFFIXES if _with_heif() else ())


@functools.cache
def _with_heif():
    if importlib.util.find_spec("pillow_heif") is None:
        return False
    importlib.import_module("pillow_heif").register_heif_opener()
    return True


@contextlib.contextmanager
def _refusals(name):
    """Turns a failure to decode into an InputError."""
    try:
        yield
    except InputError:
        raise
    except UnidentifiedImageError as error:
        # Pillow's own text is the address of the buffer.
        raise InputError(f"{name}: cannot be read as an image (of no known format)") from error
    except tf.errors.OpError as error:
        raise InputError(f"{name}: cannot be read as an image, is it cut off?") from error
    except Exception as error:  # Pillow's readers raise anything on a damaged file
        raise InputError(f"{name}: cannot be read as an image ({one_line(error)})") from error


def _opened(contents, name):
    """The PIL image in a file after a check of its stated size; nothing is decoded yet."""
    _with_heif()
    Image.init()
    if size := stated_size(contents):
        check_size(name, size)
    formats = [kind for kind in FORMATS if kind in Image.OPEN]
    image = Image.open(io.BytesIO(contents), formats=formats)
    check_size(name, image.size)
    return image


def _rgb(image, name):
    image.load()
    image = ImageOps.exif_transpose(image)  # of a TIFF file `load` has done it already
    if image.mode in _IN_16_BITS:
        grey = (np.asarray(image).astype("uint16") >> 8).astype("uint8")
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise InputError(f"{name}: expected 8 or 16 bits a channel; received mode {image.mode}")
    return np.asarray(image.convert("RGB"))
