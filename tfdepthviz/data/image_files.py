"""Image files opened by Pillow, once their stated size has been looked at."""

import contextlib
import io
import pathlib

from PIL import Image, UnidentifiedImageError

from tfdepthviz.data.image_sizes import check_size
from tfdepthviz.utils.errors import InputError


@contextlib.contextmanager
def opened(path):
    """Yields the bytes of a file and the PIL image in them.

    Args:
      path: image file.
    Raises:
      InputError: no such file, no image, or one of too many pixels; also of what is raised inside
        while the image is decoded.
    """
    try:
        contents = pathlib.Path(path).read_bytes()
        check_size(path, contents)
        with Image.open(io.BytesIO(contents)) as image:
            yield contents, image
    except UnidentifiedImageError as error:
        # Pillow's own text names the buffer by its address.
        raise InputError(f"{path}: cannot be read as an image (of no known format)") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as an image ({error})") from error
