"""PNG files are read back with Pillow."""

import io

import numpy as np
from PIL import Image

from tfdepthviz.reports import rendering


def test_png_holds_the_pixels(tmp_path):
    picture = np.random.default_rng(3).integers(0, 256, (5, 9, 3), "uint8")
    rendering.save_png(tmp_path / "a.png", picture)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(rendering.png(picture)))), picture
    )
