"""The decoder of image files: orientation, bit depths, palettes, alpha, CMYK, and refusals."""

import io

import numpy as np
import pytest
import tensorflow as tf
from image_files import claiming, file_of
from PIL import Image, ImageOps

from tfdepthviz.data import examples, image_files
from tfdepthviz.data.folder import files
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.reports.explanation import read_upright
from tfdepthviz.utils.errors import InputError

LOSSLESS = {"png": {}, "bmp": {}, "tiff": {}, "webp": {"lossless": True}}


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 10, 3), np.uint8)


def bytes_of(picture, kind, orientation=None, **options):
    image, stream = Image.fromarray(picture), io.BytesIO()
    if orientation:
        options["exif"] = image.getexif()
        options["exif"][0x0112] = orientation
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "jpeg"])
def test_orientation(tmp_path, pixels, kind, orientation):
    path = tmp_path / f"i.{kind}"
    path.write_bytes(bytes_of(pixels, kind, orientation, **LOSSLESS.get(kind, {})))
    stored = image_files.decode(bytes_of(pixels, kind, **LOSSLESS.get(kind, {})), "stored")
    expected = {
        1: stored,
        2: np.fliplr(stored),
        3: np.rot90(stored, 2),
        4: np.flipud(stored),
        5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, 3),
        7: np.rot90(stored, 2).transpose(1, 0, 2),
        8: np.rot90(stored),
    }[orientation]
    read = image_files.read(path)
    np.testing.assert_array_equal(read, expected)
    if kind == "png":
        shown = ImageOps.exif_transpose(Image.open(path))
        np.testing.assert_array_equal(read, np.asarray(shown))
    in_graph = tf.function(examples.read_image)(str(path))
    np.testing.assert_array_equal(in_graph, read)
    (example,) = files(str(tmp_path)).examples().as_numpy_iterator()
    np.testing.assert_array_equal(example["image"], read)
    contents, small = read_upright(path)
    np.testing.assert_array_equal(small, read)
    served = tf.io.decode_image(contents, channels=3, expand_animations=False)
    np.testing.assert_array_equal(served, read)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_exact_pixels(pixels, kind):
    contents = bytes_of(pixels, kind, **LOSSLESS[kind])
    np.testing.assert_array_equal(image_files.decode(contents, "i"), pixels)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_16_bit_grey_is_scaled(kind):
    values = np.array([[0, 255, 256], [4660, 32768, 65535]], np.uint16)
    decoded = image_files.decode(bytes_of(values, kind), "i")
    expected = [[0, 0, 1], [18, 128, 255]]
    np.testing.assert_array_equal(decoded, np.repeat(np.array(expected)[..., None], 3, -1))


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_alpha_is_taken_off(pixels, kind):
    alpha = np.linspace(1, 255, 60).astype("uint8").reshape(6, 10, 1)
    options = LOSSLESS[kind] | ({"exact": True} if kind == "webp" else {})
    contents = bytes_of(np.concatenate([pixels, alpha], -1), kind, **options)
    np.testing.assert_array_equal(image_files.decode(contents, "i"), pixels)


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp"])
def test_palette(pixels, kind):
    stream = io.BytesIO()
    palette = Image.fromarray(pixels).quantize(16)
    options = {"transparency": 3} if kind == "png" else {}
    palette.save(stream, kind, **options)
    expected = np.asarray(palette.convert("RGB"))
    np.testing.assert_array_equal(image_files.decode(stream.getvalue(), "i"), expected)


def test_cmyk():
    ink = np.zeros((8, 16, 4), np.uint8)
    ink[:, 8:] = (0, 255, 255, 0)  # magenta and yellow: red; the left half is blank paper
    stream = io.BytesIO()
    Image.fromarray(ink, "CMYK").save(stream, "JPEG", quality=100)
    rgb = image_files.decode(stream.getvalue(), "i").astype(int)
    assert np.abs(rgb[:, :8] - 255).max() <= 2
    assert np.abs(rgb[:, 8:] - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("case", ["JPEG XL", "unknown", "float", "huge BMP", "huge TIFF", "SVG"])
def test_refusals(case):
    contents = {
        "JPEG XL": b"\xff\x0a\xfa\x7f\x01\x90" + bytes(90),
        "unknown": bytes(range(200)),
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "float": bytes_of(np.ones((4, 5), np.float32), "tiff"),
        "huge BMP": b"BM" + bytes(12) + (40).to_bytes(4, "little") + b"\0\0\1\0" * 2 + bytes(30),
        "huge TIFF": bytes_of(np.ones((4, 5), np.uint8), "tiff").replace(
            b"\x00\x01\x04\x00\x01\x00\x00\x00\x05\x00\x00\x00",
            b"\x00\x01\x04\x00\x01\x00\x00\x00\x00\x00\x00\x40",
        ),
    }[case]
    says = {"float": "received mode F", "huge BMP": "65536x65536"}.get(case, "cannot be read")
    with pytest.raises(InputError, match=f"^photo: .*{says}"):
        image_files.decode(contents, "photo")


def test_no_pixels_and_a_cut_header():
    for contents in (claiming(0, 5), claiming(9, 9)[:20], file_of("JPEG")[:30]):
        with pytest.raises(InputError):
            image_files.decode(contents, "photo")


def test_a_turned_image_with_depth_is_refused(tmp_path, pixels, write_depth):
    path, depth = tmp_path / "i.png", tmp_path / "d.png"
    write_depth(depth, np.ones((6, 10), np.uint16))
    for orientation in (1, 3, 6):
        path.write_bytes(bytes_of(pixels, "png", orientation))
        frames = FrameFiles([str(path)], [str(depth)], {16: 0.001})
        if orientation == 1:
            assert len(list(frames.examples())) == 1
            continue
        with pytest.raises(tf.errors.InvalidArgumentError):
            list(frames.examples())
        with pytest.raises(InputError, match=f"i.png: its EXIF orientation {orientation} turns"):
            frames.check()


@pytest.mark.parametrize("data", [b"", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff"])
def test_damaged_metadata_is_ignored(pixels, data):
    contents = bytes_of(pixels, "jpeg", exif=b"Exif\0\0" + data)
    assert image_files.decode(contents, "i").shape == (6, 10, 3)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic(tmp_path, orientation):
    pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    assert ".heic" in image_files.suffixes()  # registers the format
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:16, :32], picture[16:, 32:] = (255, 0, 0), (0, 0, 255)
    path = tmp_path / "i.heic"
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.write_bytes(bytes_of(picture, "heif", exif=exif.tobytes(), quality=95))
    expected = image_files.decode(bytes_of(picture, "png", orientation), "as PNG")
    read = image_files.read(path)
    assert read.shape == expected.shape and np.abs(read.astype(int) - expected).max() <= 4
    (example,) = files(str(tmp_path)).examples().as_numpy_iterator()
    np.testing.assert_array_equal(example["image"], read)
    np.testing.assert_array_equal(read_upright(path)[1], read)
    if orientation == 1:
        image_files.read_paired(path)
    else:
        with pytest.raises(InputError, match=f"its EXIF orientation {orientation} turns the image"):
            image_files.read_paired(path)
