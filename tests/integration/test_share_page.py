"""The command share_page: a page of Gradio."""

import gc
import sys

import commands
import numpy as np
import pytest

from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.errors import InputError
from trainers import share_page


@pytest.fixture
def photograph():
    return np.random.default_rng(0).integers(0, 256, (45, 80, 3), np.uint8)


def test_answer(tiny_model, photograph):
    model = LocalModel(tiny_model)
    kept, full, masked, text = share_page.answer(model, photograph, 0.25, "metric", "mean")
    assert kept.shape == full.shape == masked.shape and kept.dtype == np.uint8
    # Removed pixels have one colour, the mean of ImageNet; the others vary.
    removed = (kept == (124, 116, 104)).all(axis=-1)
    assert removed.mean() == pytest.approx(0.75, abs=0.01)
    assert text.startswith(f"From {round(0.25 * removed.size)} of {removed.size} pixels")
    assert "N sees the middle" in text  # 45x80 is wider than the networks
    assert np.array_equal(share_page.answer(model, photograph, 1.0, "metric", "mean")[2], full)


@pytest.mark.filterwarnings("default")  # Gradio's own
def test_page(tiny_model, photograph):
    gradio = pytest.importorskip("gradio", reason="NO GRADIO: the page was not built")
    page = share_page.build_page(gradio, LocalModel(tiny_model), "tiny/1")
    *pictures, text = page.fn(photograph, 25)
    expected = share_page.answer(LocalModel(tiny_model), photograph, 0.25, "metric", "mean")
    assert len(pictures) == 3 and text == expected[-1]
    with pytest.raises(gradio.Error, match="Give a photograph first"):
        page.fn(None, 25)
    del page
    gc.collect()  # it leaves an event loop open, which must warn here and not in a later test


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(InputError, match=r"tfdepthviz\[share\]"):
        commands.run(share_page)
