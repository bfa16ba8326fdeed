"""Turned photographs: every entrance of the server answers as for the upright picture.

Expected values: the same pixels, stored upright by Pillow, in a file without EXIF data. The page
turns them itself (test_page.py); folders are read by data/ (tests/data/test_image_files.py).
"""

import contextlib
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from serving_clients import predict_request, started

from tfdepthviz.data import samples
from tfdepthviz.serving.client import MaskClient

# EXIF orientation -> what turns the upright picture into the stored one
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def png(image, orientation=None):
    file, exif = io.BytesIO(), Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(file, "PNG", exif=exif)
    return file.getvalue()


@pytest.fixture(scope="module")
def files():
    """The upright file, and a file of each orientation that shows the same picture."""
    with Image.open(samples.files("validation").images[0]) as photo:
        image = photo.convert("RGB").resize((90, 120))
    turned = {o: png(image.transpose(how), o) for o, how in STORED.items()}
    return png(image), turned


@pytest.fixture(scope="module")
def server(tiny_model):
    with started({"tiny": tiny_model.parent}) as client:
        yield client


def drawn(contents):
    pixels = np.asarray(Image.open(io.BytesIO(contents)), int)
    assert pixels.shape == (120, 90, 3)
    return pixels


def test_rest(server, files):
    upright, turned = files
    with contextlib.closing(MaskClient(f"http://{server.rest_address}", "tiny")) as masks:
        expected, picture = masks.explain(upright), drawn(masks.overlay(upright))
        for orientation, contents in turned.items():
            result = masks.explain(contents)
            for name in ("mask", "binary_mask", "depth", "masked_depth"):
                values = getattr(result, name), getattr(expected, name)
                np.testing.assert_allclose(*values, atol=1e-4, err_msg=str(orientation))
            np.testing.assert_allclose(drawn(masks.overlay(contents)), picture, atol=2)


def test_grpc(server, files):
    upright, turned = files

    def mask(contents):
        request = predict_request("tiny", "mask_bytes", image_bytes=tf.constant([contents]))
        return tf.make_ndarray(server.predictions.Predict(request).outputs["mask"])

    for contents in turned.values():
        np.testing.assert_allclose(mask(contents), mask(upright), atol=1e-4)


def test_batch_of_turned_and_upright(server, files):
    upright, turned = files
    request = predict_request("tiny", "mask_bytes", image_bytes=tf.constant([upright, turned[6]]))
    first, second = tf.make_ndarray(server.predictions.Predict(request).outputs["mask"])
    np.testing.assert_allclose(first, second, atol=1e-4)
