"""Files of safetensors, read without the package.

Eight bytes give the length of a JSON header, which says of each tensor its type, shape and place in
the bytes that follow. Sizes are compared with the file before anything is allocated.
"""

import json
import math
import struct
from pathlib import Path

import numpy as np

from tfdepthviz.models.porting.torch_tensors import shown
from tfdepthviz.utils.errors import InputError

LARGEST_HEADER = 1 << 24  # bytes
# bfloat16 is the upper half of float32, for which NumPy has no type.
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4"}
DTYPES |= {"I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}


def read_safetensors(path):
    """Arrays of a file of safetensors.

    Args:
      path: the file.
    Returns:
      dict of name -> array; bfloat16 as float32.
    Raises:
      InputError: it is damaged, or holds types that are no weights.
    """
    data = memoryview(Path(path).read_bytes())
    try:
        (length,) = struct.unpack_from("<Q", data)
        if length > min(LARGEST_HEADER, len(data) - 8):
            raise ValueError("its header is longer than the file")
        header = json.loads(bytes(data[8 : 8 + length]))
        body = data[8 + length :]
        return {
            name: _array(body, **entry) for name, entry in header.items() if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError, struct.error) as error:
        raise InputError(f"{path}: not a readable file of safetensors ({shown(error)})") from error


def _array(body, dtype, shape, data_offsets):
    start, end = data_offsets
    kind = np.dtype(DTYPES[dtype])
    if not 0 <= start <= end <= len(body) or math.prod(shape) * kind.itemsize != end - start:
        raise ValueError("a tensor lies outside of the file or has another size")
    array = np.frombuffer(body[start:end], kind).reshape(shape)
    if dtype == "BF16":
        array = (array.astype("u4") << 16).view("f4")
    return array.astype(array.dtype.newbyteorder("="))
