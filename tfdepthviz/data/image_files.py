"""Image files opened by Pillow after a check of their stated size."""

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
      InputError: no such file, no image, too many pixels, or a failure to decode inside the block.
    """
    try:
        contents = pathlib.Path(path).read_bytes()
        check_size(path, contents)
        with Image.open(io.BytesIO(contents)) as image:
            yield contents, image
    except UnidentifiedImageError as error:
        # Pillow's own text is the address of the buffer.
        raise InputError(f"{path}: cannot be read as an image (of no known format)") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as an image ({error})") from error
