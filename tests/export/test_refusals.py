"""Requests that the signatures refuse. Any network will do, so it is a tiny one."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from export_by_hand import file_bytes, photographs

REQUESTS = (
    *("serving_default", "image_bytes", "mask", "mask_bytes", "overlay", "threshold", "share"),
    *("region", "card", "mask_png", "plain_mask"),
)


@pytest.fixture(scope="module")
def signatures(tiny_model):
    loaded = tf.saved_model.load(str(tiny_model))
    assert set(loaded.signatures) == set(REQUESTS)
    yield loaded.signatures


def test_unknown_field_of_the_card(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="field must be empty.*depth_kind"):
        signatures["card"](field=tf.constant(["", "depth_knd"]))


@pytest.mark.parametrize(
    "low, high, values", [(0, 255, "0.00 to 255.00"), (-1, 1, "-1.00 to 1.00"), (0, np.nan, "nan")]
)
@pytest.mark.parametrize("name", ["serving_default", "mask"])
def test_images_of_another_range(signatures, name, low, high, values):
    image = np.linspace(low, high, 105).astype("float32").reshape(1, 5, 7, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"RGB in \[0, 1\].*{values}"):
        signatures[name](image=image)


@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 5, 7, 4), (1, 5, 7, 1), (1, 1, 5, 7, 3)])
@pytest.mark.parametrize("name", ["serving_default", "mask"])
def test_images_of_another_shape(signatures, name, shape):
    received = ",".join(map(str, shape))
    says = rf"tensor image \[{received}\] is not compatible with expected shape \[\?,\?,\?,3\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=says):
        signatures[name](image=tf.zeros(shape))


@pytest.mark.parametrize("threshold", [[-0.1, 0.5], [0.5, 1.5], [np.nan, 0.5], [0.5], []])
def test_wrong_thresholds(signatures, threshold):
    files = tf.constant([file_bytes(image, "PNG") for image in photographs(2, 20, 30)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="threshold must be one number"):
        signatures["threshold"](image_bytes=files, threshold=tf.constant(threshold, tf.float32))


@pytest.mark.parametrize("share", [[0.0, 0.5], [-0.1, 0.5], [0.5, 1.01], [np.nan, 0.5], [0.5], []])
def test_wrong_shares(signatures, share):
    files = tf.constant([file_bytes(image, "PNG") for image in photographs(2, 20, 30)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="share must be one number above 0"):
        signatures["share"](image_bytes=files, share=tf.constant(share, tf.float32))


@pytest.mark.parametrize("name", REQUESTS[:-1])
def test_empty_batch(signatures, name):
    inputs = signatures[name].structured_input_signature[1]
    shapes = {"image": (0, 5, 7, 3), "region": (0, 2, 2)}
    empty = {k: tf.zeros(shapes.get(k, (0,)), spec.dtype) for k, spec in inputs.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match="must hold at least one item"):
        signatures[name](**empty)


def huge_png():
    """Some hundred bytes that claim 60000x60000 pixels."""

    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


def huge_jpeg():
    contents = bytearray(file_bytes(photographs(1, 64, 96)[0], "JPEG"))
    start = contents.index(b"\xff\xc0")  # marker, length, bits, then height and width
    contents[start + 5 : start + 9] = struct.pack(">HH", 60000, 60000)
    return bytes(contents)


def cut_jpeg():
    return file_bytes(photographs(1, 64, 96)[0], "JPEG")[:300]


@pytest.mark.parametrize("name", ["image_bytes", "mask_bytes", "mask_png", "overlay"])
@pytest.mark.parametrize("make", [huge_png, huge_jpeg, cut_jpeg])
def test_files_that_are_no_image_or_huge(signatures, name, make):
    good = file_bytes(photographs(1, 20, 30)[0], "PNG")
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures[name](image_bytes=tf.constant([good, make()]))


@pytest.mark.parametrize("name", ["image_bytes", "mask_bytes", "mask_png", "overlay"])
@pytest.mark.parametrize(
    "contents", [b"", b"no image", b"\xff\x0a" + bytes(60), b"GIF89a" + bytes(9)]
)
def test_other_files_are_named_by_their_place(signatures, name, contents):
    """JPEG XL begins with FF 0A; TensorFlow 2.21 would decode it, of any size."""
    good = file_bytes(photographs(1, 20, 30)[0], "PNG")
    message = r"image_bytes\[2\]: is neither a JPEG nor a PNG file"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        signatures[name](image_bytes=tf.constant([good, good, contents, contents]))
