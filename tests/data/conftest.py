"""Fixtures of the data tests: tiny files in the real formats, and folders of real data."""

import os
import pathlib

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def write_image():
    """Function (path, height, width, seed=0) -> the (H, W, 3) uint8 pixels it wrote.

    Files that end in .png hold exactly these pixels, others are JPEG.
    """

    def write(path, height, width, seed=0):
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        file_format = "PNG" if path.suffix.lower() == ".png" else "JPEG"
        Image.fromarray(pixels).save(path, format=file_format)
        return pixels

    return write


@pytest.fixture
def write_depth():
    """Function (path, values) that writes integers as a grey PNG of their type's bit depth."""

    def write(path, values):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)

    return write


@pytest.fixture
def real_data():
    """Function name -> folder of a real data set; skips the test if there is none."""

    def find(name):
        folder = pathlib.Path(os.environ.get("TFDEPTHVIZ_DATA") or ROOT.parent / "shared" / "data")
        if not (folder / name).is_dir():
            pytest.skip(f"no real data at {folder / name}; TFDEPTHVIZ_DATA names another place")
        return folder / name

    return find
