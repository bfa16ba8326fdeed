"""Answers of each signature; expected values by export_by_hand.py."""

import io
import json

import export_by_hand as by_hand
import keras
import numpy as np
import pytest
import tensorflow as tf
from export_by_hand import SIZE, check, file_bytes, photographs
from PIL import Image
from stable_ops import GRADIENT_OPS, STABLE_OPS, ops_saved_in

from tfdepthviz.export import signatures as export_signatures
from tfdepthviz.models.target import DepthTarget

# Names of inputs and outputs.
FIVE = {"mask", "binary_mask", "depth", "masked_depth", "sparseness", "covered"}
SIGNATURES = {
    "serving_default": ({"image"}, FIVE),
    "image_bytes": ({"image_bytes"}, FIVE),
    "mask": ({"image"}, {"mask"}),
    "mask_bytes": ({"image_bytes"}, {"mask"}),
    "mask_png": ({"image_bytes"}, {"mask_png_bytes"}),
    "plain_mask": ({"image"}, {"mask"}),
    "overlay": ({"image_bytes"}, {"overlay_bytes"}),
    "threshold": (
        {"image_bytes", "threshold"},
        {"binary_mask", "binary_depth", "sparseness", "fidelity_rmse", "covered"},
    ),
    "share": (
        {"image_bytes", "share"},
        {"binary_mask", "binary_depth", "sparseness", "fidelity_rmse", "covered"},
    ),
    "region": (
        {"image_bytes", "region", "share"},
        {
            *("binary_mask", "kept_depth", "deleted_depth", "outside", "covered"),
            *("region_depth", "region_kept_depth", "region_deleted_depth"),
            *("region_kept_rmse", "region_deleted_rmse"),
        },
    ),
    "card": ({"field"}, {"card_json"}),
}
SPECS = {
    "image": tf.TensorSpec((None, None, None, 3), tf.float32, "image"),
    "image_bytes": tf.TensorSpec((None,), tf.string, "image_bytes"),
    "threshold": tf.TensorSpec((None,), tf.float32, "threshold"),
    "share": tf.TensorSpec((None,), tf.float32, "share"),
    "region": tf.TensorSpec((None, None, None), tf.float32, "region"),
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
    for signature, function in signatures.items():
        for name, spec in function.structured_input_signature[1].items():
            plain = tf.TensorSpec((None, *SIZE, 3), tf.float32, "image")
            assert spec == (plain if signature == "plain_mask" else SPECS[name])
        # A server that batches joins and cuts along the first axis.
        assert all(spec.shape[0] is None for spec in function.structured_outputs.values())


def test_graph_has_long_stable_ops_only(exported):
    assert ops_saved_in(exported) - STABLE_OPS - GRADIENT_OPS == set()


def test_images_of_the_size_of_n(signatures, nets):
    images = photographs(2, *SIZE)
    expected = by_hand.explained(nets, images)
    assert 0.2 < expected["sparseness"].mean() < 0.8
    assert np.abs(expected["depth"] - expected["masked_depth"]).max() > 1e-2
    check(signatures["serving_default"](image=images), expected)


# Sizes at which no pixel's centre falls between two of N's, where "nearest" is ambiguous.
@pytest.mark.parametrize("batch, height, width", [(1, 128, 192), (3, 64, 160), (1, 256, 96)])
def test_maps_have_the_size_of_the_images(signatures, nets, batch, height, width):
    images = photographs(batch, height, width)
    expected = by_hand.explained(nets, images)
    for name in ("mask", "depth", "masked_depth"):
        expected[name] = by_hand.placed(expected[name], height, width)
    nearest = Image.Resampling.NEAREST
    expected["binary_mask"] = by_hand.placed(expected["binary_mask"], height, width, nearest)
    got = signatures["serving_default"](image=images)
    check(got, expected)
    assert tf.reduce_min(got["mask"]) >= 0 and tf.reduce_max(got["mask"]) <= 1
    check(signatures["mask"](image=images), {"mask": expected["mask"]})


def test_files_of_different_sizes(signatures, nets):
    images = [photographs(1, *size) for size in ((120, 90), (40, 150), SIZE)]
    files = png([image[0] for image in images])
    apart = [by_hand.explained(nets, image) for image in images]
    expected = {name: np.concatenate([e[name] for e in apart]) for name in apart[0]}
    check(signatures["image_bytes"](image_bytes=files), expected)
    check(signatures["mask_bytes"](image_bytes=files), {"mask": expected["mask"]})


def test_jpeg_is_close_to_png(signatures):
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
    for name in ("mask", "mask_bytes", "mask_png", "overlay"):
        used = [tuple(v.shape) for v in signatures[name].variables]
        assert sorted(used) == of_g, name
    for name in ("serving_default", "image_bytes", "threshold", "share"):
        assert len(signatures[name].variables) == len(of_g) + len(nets[0].weights)


def test_masks_as_pictures(signatures):
    files = png(list(photographs(2, 40, 60)))
    mask = signatures["mask_bytes"](image_bytes=files)["mask"].numpy()
    got = signatures["mask_png"](image_bytes=files)["mask_png_bytes"]
    assert got.dtype == tf.string and got.shape == (2,)
    for contents, expected in zip(got.numpy(), mask[..., 0], strict=True):
        picture = Image.open(io.BytesIO(contents))
        assert (picture.format, picture.mode) == ("PNG", "L")
        # Half a level, and the last bit of a float where both round.
        assert np.abs(np.asarray(picture) / 255 - expected).max() < 0.501 / 255


def test_overlays_have_the_sizes_of_the_images(signatures, nets):
    images = [photographs(1, *size) for size in ((120, 90), (40, 150))]
    got = signatures["overlay"](image_bytes=png([image[0] for image in images]))["overlay_bytes"]
    assert got.dtype == tf.string and got.shape == (2,)
    for contents, image in zip(got.numpy(), images, strict=True):
        picture = Image.open(io.BytesIO(contents))
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert picture.size == image.shape[2:0:-1]
        mask = by_hand.run(nets[1], by_hand.normalised(image))
        mask = by_hand.placed(mask, *image.shape[1:3])[0]
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
def test_fidelity_without_a_unit(tiny_nets, kind):
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


def test_card_whole_and_by_field(signatures, exported):
    card = json.loads((exported / "assets.extra/card.json").read_text("utf-8"))
    asked = ["", "data", "weights", ""]
    got = signatures["card"](field=tf.constant(asked))["card_json"]
    # Its name does not end in _bytes, so a server sends it as text and not in base64.
    assert got.dtype == tf.string and got.shape == (4,)
    texts = [json.loads(text) for text in got.numpy()]
    assert texts == [card, card["data"], card["weights"], card]


def test_hash_and_number_of_weights(nets, exported):
    weights = json.loads((exported / "assets.extra/card.json").read_text())["weights"]
    for net, name in zip(nets, ("depth_net", "mask_net"), strict=True):
        assert weights[name] == {
            "sha256": by_hand.sha256(net.get_weights()),
            "parameters": net.count_params(),
            "stored_as": "float32",
        }


def test_resized_mask_stays_in_0_to_1():
    image = keras.Input((8, 12, 3))
    step = keras.layers.Conv2D(1, 1, activation="hard_sigmoid")(1000.0 * image)
    functions = export_signatures.build_signatures(
        DepthTarget(keras.Model(image, step)), keras.Model(image, step), (8, 12), card={}
    )
    mask = functions["mask"](image=photographs(1, 37, 53))["mask"].numpy()
    assert mask.min() == 0 and mask.max() == 1
