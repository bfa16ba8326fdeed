"""Tensors of a file of `torch.save` as notes of where they lie, and the limits of such notes."""

from typing import NamedTuple

MOST_AXES = 32
LARGEST_NUMBER = 1 << 60  # an element count, an offset, a key

# The name of a storage's class in PyTorch -> NumPy's type.
DTYPES = {
    "Double": "f8",
    "Float": "f4",
    "Half": "f2",
    "BFloat16": "bfloat16",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "b1",
}
ITEM_BYTES = {dtype: 2 if dtype == "bfloat16" else int(dtype[1:]) for dtype in DTYPES.values()}


class Refused(Exception):
    """A file holds what it must not hold; the message continues "<file>: "."""


class Storage(NamedTuple):
    """Elements `first` to `first + count` of the `total` that the file keeps under `key`."""

    dtype: str
    key: object
    total: int
    first: int
    count: int


class Tensor(NamedTuple):
    """Elements of a storage, from `offset` on; `size` and `stride` count elements."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple


def shown(value, limit=120):
    """A value out of a file as one line of printable text, for messages."""
    # To write out a nest of tuples may take for ever.
    simple = isinstance(value, (str, int, float, Exception))
    text = str(value) if simple else type(value).__name__
    text = text.encode("unicode_escape").decode()
    return text if len(text) <= limit else f"{text[:limit]}..."


def whole_number(value):
    """`value`, if it is a count, an offset or a size.

    Raises:
      Refused: it is no integer, negative or absurdly large.
    """
    if type(value) is not int or not 0 <= value < LARGEST_NUMBER:
        raise Refused(f"damaged (a size or place in it is {shown(value, 40)})")
    return value
