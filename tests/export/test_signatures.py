"""What each signature answers; expected values by export_by_hand.py."""

import io
import json
import struct
import zlib

import export_by_hand as by_hand
import keras
import numpy as np
import pytest
import tensorflow as tf
from export_by_hand import SIZE, check, file_bytes, photographs, resized
from PIL import Image

from tfdepthviz.export import signatures as export_signatures
from tfdepthviz.models.target import DepthTarget

# Names of inputs and outputs.
FIVE = {"mask", "binary_mask", "depth", "masked_depth", "sparseness"}
SIGNATURES = {
    "serving_default": ({"image"}, FIVE),
    "image_bytes": ({"image_bytes"}, FIVE),
    "mask": ({"image"}, {"mask"}),
    "mask_bytes": ({"image_bytes"}, {"mask"}),
    "overlay": ({"image_bytes"}, {"overlay_bytes"}),
    "threshold": (
        {"image_bytes", "threshold"},
        {"binary_mask", "binary_depth", "sparseness", "fidelity_rmse"},
    ),
    "card": ({"field"}, {"card_json"}),
}
SPECS = {
    "image": tf.TensorSpec((None, None, None, 3), tf.float32, "image"),
    "image_bytes": tf.TensorSpec((None,), tf.string, "image_bytes"),
    "threshold": tf.TensorSpec((None,), tf.float32, "threshold"),
    "field": tf.TensorSpec((None,), tf.string, "field"),
}


def png(images):
    """A list of images in [0, 1], of any sizes, as a batch of files."""
    return tf.constant([file_bytes(image, "PNG") for image in images])


def test_names_and_specs(signatures):
    assert {
        name: (set(f.structured_input_signature[1]), set(f.structured_outputs))
        for name, f in signatures.items()
    } == SIGNATURES
    for function in signatures.values():
        for name, spec in function.structured_input_signature[1].items():
            assert spec == SPECS[name]
        # A server that batches joins and cuts along the first axis.
        assert all(spec.shape[0] is None for spec in function.structured_outputs.values())


def test_images_of_the_size_of_n(signatures, nets):
    images = photographs(2, *SIZE)
    expected = by_hand.explained(nets, images)
    assert 0.2 < expected["sparseness"].mean() < 0.8
    assert np.abs(expected["depth"] - expected["masked_depth"]).max() > 1e-2
    check(signatures["serving_default"](image=images), expected)


# Sizes at which no pixel's centre falls between two of N's, where "nearest" is anybody's choice.
@pytest.mark.parametrize("batch, height, width", [(1, 128, 64), (3, 64, 160)])
def test_maps_come_at_the_size_of_the_images(signatures, nets, batch, height, width):
    images = photographs(batch, height, width)
    expected = by_hand.explained(nets, images)
    for name in ("mask", "depth", "masked_depth"):
        expected[name] = resized(expected[name], (height, width))
    nearest = Image.Resampling.NEAREST
    expected["binary_mask"] = resized(expected["binary_mask"], (height, width), nearest)
    got = signatures["serving_default"](image=images)
    check(got, expected)
    assert tf.reduce_min(got["mask"]) >= 0 and tf.reduce_max(got["mask"]) <= 1
    check(signatures["mask"](image=images), {"mask": expected["mask"]})


def test_files_of_different_sizes_in_one_batch(signatures, nets):
    images = [photographs(1, *size) for size in ((120, 90), (40, 150), SIZE)]
    files = png([image[0] for image in images])
    apart = [by_hand.explained(nets, image) for image in images]
    expected = {name: np.concatenate([e[name] for e in apart]) for name in apart[0]}
    check(signatures["image_bytes"](image_bytes=files), expected)
    check(signatures["mask_bytes"](image_bytes=files), {"mask": expected["mask"]})


def test_a_jpeg_file_gives_nearly_what_its_png_gives(signatures):
    image = photographs(1, 120, 90)[0]
    files = [file_bytes(image, "PNG"), file_bytes(image, "JPEG", quality=100, subsampling=0)]
    got = signatures["image_bytes"](image_bytes=tf.constant(files))
    np.testing.assert_allclose(got["depth"][0], got["depth"][1], atol=0.05)
    np.testing.assert_allclose(got["mask"][0], got["mask"][1], atol=0.05)


def test_grey_becomes_rgb_and_alpha_is_dropped(signatures):
    grey = photographs(1, 40, 60)[0, :, :, :1]
    rgb = grey.repeat(3, axis=-1)
    transparent = np.concatenate([rgb, np.full_like(grey, 0.5)], axis=-1)
    got = signatures["mask_bytes"](image_bytes=png([rgb, grey[..., 0], transparent]))["mask"]
    np.testing.assert_array_equal(got[0], got[1])
    np.testing.assert_array_equal(got[0], got[2])


def test_masks_alone_do_not_need_n(signatures, nets):
    of_g = sorted(tuple(w.shape) for w in nets[1].weights)
    for name in ("mask", "mask_bytes", "overlay"):
        used = [tuple(v.shape) for v in signatures[name].variables]
        assert sorted(used) == of_g, name
    for name in ("serving_default", "image_bytes", "threshold"):
        assert len(signatures[name].variables) == len(of_g) + len(nets[0].weights)


def test_overlays_are_png_files_of_the_images_own_sizes(signatures, nets):
    images = [photographs(1, *size) for size in ((120, 90), (40, 150))]
    got = signatures["overlay"](image_bytes=png([image[0] for image in images]))["overlay_bytes"]
    assert got.dtype == tf.string and got.shape == (2,)
    for contents, image in zip(got.numpy(), images, strict=True):
        picture = Image.open(io.BytesIO(contents))
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert picture.size == image.shape[2:0:-1]
        mask = resized(by_hand.run(nets[1], by_hand.normalised(image)), image.shape[1:3])[0]
        rgb = 255 * image[0]
        grey = rgb @ np.array([[0.299], [0.587], [0.114]])
        expected = mask * rgb + (1 - mask) * (grey * [0.26, 0.3, 0.35] + [15, 25, 70])
        # Rounded to 8 bits, and the mask by another resize.
        assert np.abs(np.asarray(picture) - expected).max() < 0.6


def test_each_image_has_its_own_threshold(signatures, nets):
    images = photographs(3, *SIZE)
    image = by_hand.normalised(images)
    mask = by_hand.run(nets[1], image)
    thresholds = np.array([0.0, np.quantile(mask[1], 0.3), 1.0], "float32")
    got = signatures["threshold"](image_bytes=png(images), threshold=thresholds)
    binary = (mask > thresholds[:, None, None, None]).astype("float32")
    full, masked = (by_hand.run(nets[0], x) for x in (image, image * binary))
    assert np.mean(got["binary_mask"] != binary) < 1e-3
    np.testing.assert_allclose(got["sparseness"], [1, 0.7, 0], atol=1e-3)
    np.testing.assert_allclose(got["binary_depth"], by_hand.stretched(masked, SIZE), atol=2e-3)
    rmse = np.sqrt(np.square(masked - full).mean(axis=(1, 2, 3)))
    assert rmse[0] == 0 and rmse[1] > 0.01 and rmse[2] > 0.01
    np.testing.assert_allclose(got["fidelity_rmse"], rmse, rtol=0.02, atol=1e-6)


@pytest.mark.parametrize("kind", ["relative", "inverse"])
def test_without_metres_fidelity_is_up_to_scale_and_shift(tiny_nets, kind):
    size = (8, 12)
    functions = export_signatures.build_signatures(
        DepthTarget(tiny_nets[0], kind), tiny_nets[1], size, card={}
    )
    images = photographs(2, *size)
    image = by_hand.normalised(images, size)
    mask = by_hand.run(tiny_nets[1], image)
    thresholds = np.median(mask, axis=(1, 2, 3)) - 1e-4
    got = functions["threshold"](image_bytes=png(images), threshold=thresholds)
    binary = mask > thresholds[:, None, None, None]
    for one in range(2):
        y, y_hat = (
            by_hand.run(tiny_nets[0], x[one : one + 1]).ravel().astype("float64")
            for x in (image, image * binary)
        )
        slope, offset = np.polyfit(y_hat, y, 1)
        left = slope * y_hat + offset - y if slope > 0 else y - y.mean()
        expected = np.sqrt(np.mean(left**2)) / y.std()
        assert expected > 0.05
        np.testing.assert_allclose(got["fidelity_rmse"][one], expected, rtol=1e-3)


def test_the_card_is_read_whole_and_by_field(signatures, exported):
    card = json.loads((exported / "assets.extra/card.json").read_text("utf-8"))
    asked = ["", "data", "weights", ""]
    got = signatures["card"](field=tf.constant(asked))["card_json"]
    # Its name does not end in _bytes, so a server sends it as text and not in base64.
    assert got.dtype == tf.string and got.shape == (4,)
    texts = [json.loads(text) for text in got.numpy()]
    assert texts == [card, card["data"], card["weights"], card]


def test_an_unknown_field_of_the_card_is_named_an_error(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="field must be empty.*depth_kind"):
        signatures["card"](field=tf.constant(["", "depth_knd"]))


@pytest.mark.parametrize("wrong", [255.0, np.nan])
@pytest.mark.parametrize("name", ["serving_default", "mask"])
def test_images_in_0_to_255_are_refused(signatures, name, wrong):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"RGB in \[0, 1\]"):
        signatures[name](image=tf.fill((1, 5, 7, 3), np.float32(wrong)))


@pytest.mark.parametrize("threshold", [[-0.1, 0.5], [0.5, 1.5], [np.nan, 0.5], [0.5], []])
def test_thresholds_are_one_number_from_0_to_1_for_each_image(signatures, threshold):
    files = png(photographs(2, 20, 30))
    with pytest.raises(tf.errors.InvalidArgumentError, match="threshold must be one number"):
        signatures["threshold"](image_bytes=files, threshold=tf.constant(threshold, tf.float32))


@pytest.mark.parametrize("name", SIGNATURES)
def test_an_empty_batch_is_refused(signatures, name):
    inputs = signatures[name].structured_input_signature[1]
    shapes = {"image": (0, 5, 7, 3)}
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


@pytest.mark.parametrize("name", ["image_bytes", "mask_bytes", "overlay"])
@pytest.mark.parametrize("make", [huge_png, huge_jpeg, cut_jpeg, bytes, lambda: b"no image"])
def test_what_is_no_image_and_what_claims_to_be_huge_is_refused(signatures, name, make):
    good = file_bytes(photographs(1, 20, 30)[0], "PNG")
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures[name](image_bytes=tf.constant([good, make()]))


def test_a_resized_mask_of_zeros_and_ones_stays_within_them():
    image = keras.Input((8, 12, 3))
    step = keras.layers.Conv2D(1, 1, activation="hard_sigmoid")(1000.0 * image)
    functions = export_signatures.build_signatures(
        DepthTarget(keras.Model(image, step)), keras.Model(image, step), (8, 12), card={}
    )
    mask = functions["mask"](image=photographs(1, 37, 53))["mask"].numpy()
    assert mask.min() == 0 and mask.max() == 1
