"""Expected outputs of an exported model, computed by another route.

N and G run eagerly, on images that Pillow resized and NumPy normalised.
"""

import hashlib
import io
import struct

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

SIZE = (64, 96)
CARD = {"depth_net": {"name": "compact"}, "lambda": 3.0, "data": "made up – none"}


def tiny_nets(size=(8, 12)):
    """Small N and G, for tests that do not depend on the networks; N has half the image's size."""
    image = keras.Input((*size, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(image)
    depth = keras.layers.Conv2D(1, 3, padding="same", name="depth")(x)
    scores = keras.layers.Conv2D(1, 5, padding="same", name="scores")(image)
    mask = keras.layers.Activation("sigmoid", name="mask")(scores)
    return keras.Model(image, depth), keras.Model(image, mask)


def photographs(batch, height, width):
    """Smooth images of 8 bits, as floats in [0, 1], so that a PNG file can hold them."""
    noise = np.random.default_rng(batch).integers(0, 256, (batch, 7, 9, 3)).astype("uint8")
    resized = [Image.fromarray(n).resize((width, height), Image.Resampling.BICUBIC) for n in noise]
    return np.stack([np.asarray(image) for image in resized]).astype("float32") / 255


def file_bytes(image, kind, **options):
    """An image in [0, 1] as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(np.uint8(np.round(image * 255))).save(file, kind, **options)
    return file.getvalue()


def resized(maps, size, how=Image.Resampling.BILINEAR):
    """(B, h, w, C) -> (B, *size, C) by Pillow, whose filter grows with the reduction."""
    channels = np.moveaxis(maps, -1, 1)
    shape = (*channels.shape[:2], *size)
    flat = channels.reshape(-1, *channels.shape[2:]).astype("float32")
    out = [np.asarray(Image.fromarray(c).resize(size[::-1], how)) for c in flat]
    return np.moveaxis(np.reshape(out, shape), 1, -1)


def stretched(maps, size):
    """(B, h, w, 1) -> (B, *size, 1) with aligned corners, by numpy.interp along each axis."""
    for axis, n in zip((1, 2), size, strict=True):
        m = maps.shape[axis]
        at = np.linspace(0, m - 1, n)
        maps = np.apply_along_axis(lambda v, at=at, m=m: np.interp(at, range(m), v), axis, maps)
    return maps


def window(height, width, size=SIZE):
    """Slices of the largest centred window of the aspect ratio of `size`, in pixels."""
    tall = min(height, round(width * size[0] / size[1]))
    wide = min(width, round(height * size[1] / size[0]))
    top, left = (height - tall) // 2, (width - wide) // 2
    return slice(top, top + tall), slice(left, left + wide)


def placed(maps, height, width, how=Image.Resampling.BILINEAR):
    """Maps of the window -> maps of the whole image, 0 outside of the window."""
    rows, columns = window(height, width, maps.shape[1:3])
    whole = np.zeros((len(maps), height, width, 1), "float32")
    size = rows.stop - rows.start, columns.stop - columns.start
    whole[:, rows, columns] = resized(maps, size, how)
    return whole


def normalised(images, size=SIZE):
    """Images in [0, 1], all of one size -> normalised images of `size`, from their window."""
    rows, columns = window(*images.shape[1:3], size)
    image = resized(images[:, rows, columns], size)
    return ((image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype("float32")


def sha256(arrays):
    """The hash of weights, number by number."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(b"".join(struct.pack("<f", number) for number in np.ravel(array)))
    return digest.hexdigest()


def run(net, image):
    return net(image.astype("float32"), training=False).numpy()


def explained(nets, images):
    """The five outputs at SIZE for images in [0, 1], all of one size."""
    depth_net, mask_net = nets
    image = normalised(images)
    rows, columns = window(*images.shape[1:3])
    share = (rows.stop - rows.start) * (columns.stop - columns.start)
    share /= images.shape[1] * images.shape[2]
    mask = run(mask_net, image)
    return {
        "covered": np.full(len(images), share, "float32"),
        "mask": mask,
        "binary_mask": (mask > 0.025).astype("float32"),
        "depth": stretched(run(depth_net, image), SIZE),
        "masked_depth": stretched(run(depth_net, image * mask), SIZE),
        "sparseness": (mask > 0.025).mean(axis=(1, 2, 3)),
    }


def check(got, expected):
    """Asserts that both have the same outputs, up to rounding."""
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == tf.float32 and got[name].shape == value.shape, name
    for name in got.keys() & {"mask", "depth", "masked_depth", "covered"}:
        np.testing.assert_allclose(got[name], expected[name], atol=1e-4, err_msg=name)
    if "binary_mask" in got:
        # A pixel within rounding of the threshold may fall on either side.
        flipped = np.mean(np.abs(got["binary_mask"] - expected["binary_mask"]))
        assert set(np.unique(got["binary_mask"])) == {0, 1} and flipped < 1e-3
        np.testing.assert_allclose(got["sparseness"], expected["sparseness"], atol=1e-3)
