"""Files with EXIF orientation, of extreme shapes and of many pixels, through an exported model.

Expected values: Pillow turns and crops the image; the model then sees an upright PNG.
"""

import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from PIL import Image, ImageOps

from tfdepthviz.data import samples
from tfdepthviz.export import image_files
from tfdepthviz.serving.local_model import LocalModel

PHOTO = Image.open(pathlib.Path(samples.files("validation").images[0])).convert("RGB")
TIFF = {"little": b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0%c\0\0\0"}
TIFF["big"] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0"


@pytest.fixture(scope="module")
def model(tiny_model):
    yield LocalModel(tiny_model)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def upright(contents):
    """An upright PNG of a file: TensorFlow decodes it, because Pillow decodes JPEG otherwise."""
    stored = Image.fromarray(tf.io.decode_image(contents).numpy())
    with Image.open(io.BytesIO(contents)) as image:
        stored.getexif()[0x0112] = image.getexif().get(0x0112, 1)
    return saved(ImageOps.exif_transpose(stored), "PNG", exif=Image.Exif())


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_orientation(model, kind, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    image = PHOTO.resize((120, 80))
    contents = saved(image, kind, exif=exif)
    assert image_files.orientation(contents) == turned
    got, expected = (model.explain(c) for c in (contents, upright(contents)))
    for name in ("mask", "depth", "masked_depth"):
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), atol=1e-4)
    assert got.covered == pytest.approx(expected.covered)
    pictures = [Image.open(io.BytesIO(model.overlay(c))) for c in (contents, upright(contents))]
    assert pictures[0].size == pictures[1].size == ((80, 120) if turned > 4 else (120, 80))
    difference = np.abs(np.subtract(*(np.asarray(p, float) for p in pictures)))
    assert difference.mean() < 0.5


@pytest.mark.parametrize("order", TIFF)
def test_orientation_behind_other_segments(order):
    """As cameras write it: after JFIF and a comment, in either byte order."""
    plain = saved(PHOTO.resize((64, 48)), "JPEG", comment=b"Exif\0\0 is not here" * 9)
    block = b"Exif\0\0" + TIFF[order] % 6
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    at = plain.index(b"\xff\xdb")
    assert image_files.orientation(plain[:at] + segment + plain[at:]) == 6
    for broken in (b"Exif\0\0XX" + block[8:], block[:12], block.replace(b"\x06", b"\x09")):
        segment = b"\xff\xe1" + (len(broken) + 2).to_bytes(2, "big") + broken
        assert image_files.orientation(plain[:at] + segment + plain[at:]) == 1
    assert image_files.orientation(plain) == image_files.orientation(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize("size", [(1500, 50), (50, 1500), (1, 1), (97, 31), (320, 256)])
def test_centred_window(model, size):
    """What lies outside of the window changes nothing, and `covered` says how much that is."""
    image = PHOTO.resize(size)
    height, width = tiny_nets.SIZE
    tall = max(1, min(size[1], int(np.floor(size[0] * height / width + 0.5))))
    wide = max(1, min(size[0], int(np.floor(size[1] * width / height + 0.5))))
    left, top = (size[0] - wide) // 2, (size[1] - tall) // 2
    window = image.crop((left, top, left + wide, top + tall))
    whole, part = (model.explain(saved(i, "PNG")) for i in (image, window))
    np.testing.assert_allclose(whole.depth, part.depth, atol=1e-5)
    assert whole.covered == pytest.approx(tall * wide / (size[0] * size[1]))
    assert part.covered == pytest.approx(1, abs=0.04)
    maps = model.explain_array(np.asarray(image))
    outside = np.ones(image.size[::-1], bool)
    outside[top : top + tall, left : left + wide] = False
    for name in ("mask", "binary_mask", "depth", "masked_depth"):
        assert not getattr(maps, name)[outside].any(), name
    assert maps.covered == pytest.approx(whole.covered)


def test_overlays_are_bounded(model):
    picture = Image.open(io.BytesIO(model.overlay(saved(PHOTO.resize((3000, 1500)), "JPEG"))))
    assert picture.size == (1280, 640)


def test_plain_mask(model):
    """The signature for converters: N's size in, the same mask out, no check."""
    image = np.asarray(PHOTO.resize(tiny_nets.SIZE[::-1]), "float32")[None] / 255
    plain = model.predict("plain_mask", {"image": image}, ("mask",))["mask"]
    np.testing.assert_allclose(plain[0, ..., 0], model.mask_array(image[0]), atol=1e-6)
    assert tf.constant(plain).shape == (1, *tiny_nets.SIZE, 1)
