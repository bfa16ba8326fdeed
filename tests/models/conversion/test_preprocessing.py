"""Preprocessing of Hugging Face's models: sizes by hand, and resizing against Pillow."""

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.models.conversion.hugging_face import HuggingFace, model_size
from tfdepthviz.utils.errors import InputError

SQUARE = {"height": 518, "width": 518}
DEPTH_ANYTHING = {"size": SQUARE, "keep_aspect_ratio": True, "ensure_multiple_of": 14}


@pytest.mark.parametrize(
    "settings, size, expected",
    [
        (DEPTH_ANYTHING, (228, 304), (392, 518)),  # 518 / 304 = 1.704, 28 times 14
        (DEPTH_ANYTHING, (700, 900), (518, 672)),  # 0.74 is nearer to 1 than 0.576
        ({"size": {"height": 384, "width": 384}}, (228, 304), (384, 384)),
        ({"size": 384, "ensure_multiple_of": 32}, (228, 304), (384, 384)),
        ({"size_divisor": 32}, (228, 304), (224, 288)),
        ({"size": {"shortest_edge": 114}}, (228, 304), (114, 152)),
        ({"size": SQUARE, "do_resize": False}, (228, 304), (228, 304)),
    ],
)
def test_size(settings, size, expected):
    assert model_size(settings, size) == expected


@pytest.mark.parametrize("size", [(40, 70), (8, 14), (40, 14)])
@pytest.mark.parametrize("resample", [0, 2, 3])
def test_resizing_is_that_of_pillow(resample, size):
    image = np.random.default_rng(0).normal(size=(20, 30)).astype("float32")
    settings = {"size": {"height": size[0], "width": size[1]}, "resample": resample}
    rows, columns = HuggingFace(None, settings, None).resized((20, 30))
    expected = Image.fromarray(image).resize(size[::-1], resample)
    np.testing.assert_allclose(rows @ image @ columns.T, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(40, 70), (8, 14)])
@pytest.mark.parametrize("processor", ["ZoeDepthImageProcessor", "DepthProImageProcessorFast"])
def test_processors_that_interpolate_without_a_wider_filter(processor, size):
    """ZoeDepth's aligns the corners, Depth Pro's does not."""
    image = np.random.default_rng(0).normal(size=(20, 30))
    settings = {"size": {"height": size[0], "width": size[1]}, "image_processor_type": processor}
    rows, columns = HuggingFace(None, settings, None).resized((20, 30))
    places = [
        np.linspace(0, n - 1, m)
        if processor.startswith("Zoe")
        else np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
        for n, m in zip((20, 30), size, strict=True)
    ]
    expected = np.stack([np.interp(places[0], np.arange(20), c) for c in image.T], 1)
    expected = np.stack([np.interp(places[1], np.arange(30), r) for r in expected])
    np.testing.assert_allclose(rows @ image @ columns.T, expected, atol=1e-12)


def test_unknown_filter():
    settings = {"size": 8, "resample": 1}
    with pytest.raises(InputError, match="resample=1: expected 0, 2 or 3"):
        HuggingFace(None, settings, None).resized((4, 4))


@pytest.mark.parametrize(
    "settings",
    [
        {"do_normalize": True, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]},
        {"do_normalize": True, "image_mean": 0.5, "image_std": 0.2, "rescale_factor": 1 / 127.5},
        {"do_normalize": False},
        {"do_rescale": False},
    ],
)
def test_normalisation(settings):
    """As Hugging Face's processors write it: bytes, times a factor, minus mean, by std."""
    pixels = np.array([0.0, 100.0, 255.0])
    expected = pixels * (
        settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", 1) else 1
    )
    if settings.get("do_normalize"):
        expected = (expected - settings["image_mean"]) / settings["image_std"]
    mean, std = HuggingFace(None, settings, None).normalisation
    np.testing.assert_allclose((pixels / 255 - mean) / std, expected, atol=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_normalize": True},
        {"do_normalize": True, "image_mean": [0, 0], "image_std": [1, 1]},
        {"size": {"longest_edge": 64}},
        {"size": {"height": 10**7, "width": 8}},
        {"size_divisor": 64},
        {"size": 8, "resample": 1},
    ],
)
def test_unusable_preprocessing(settings):
    with pytest.raises(InputError, match="^N: its preprocessor_config.json cannot be used"):
        HuggingFace(None, settings, None).steps((32, 48), "N")
