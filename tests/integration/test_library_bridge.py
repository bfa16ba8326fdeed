"""The score that other libraries explain, and its bridge to PyTorch: values by hand."""

import pathlib

import keras
import numpy as np
import pytest
import scripts

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
RNG = np.random.default_rng(0)


@pytest.fixture
def score():
    """The score of N = 2 * red for one image."""
    with scripts.undone(BENCHMARKS):
        from library_works.score import Score

        image = keras.Input((4, 5, 3))
        net = keras.Model(image, 2 * image[..., :1])
        yield Score(net, RNG.normal(size=(1, 4, 5, 3)).astype("float32"))


def test_score_and_gradient(score):
    x = RNG.normal(size=(2, 4, 5, 3)).astype("float32")
    apart = 2 * x[..., 0] - score.full.numpy()[..., 0]
    np.testing.assert_allclose(score.values(x), -(apart**2).mean(axis=(1, 2)), rtol=1e-5)
    gradient = score.gradient(x, [1.0, 3.0])
    expected = -4 * apart / 20 * np.array([1, 3])[:, None, None]
    np.testing.assert_allclose(gradient[..., 0], expected, rtol=1e-5)
    assert not gradient[..., 1:].any()


def test_bridge_to_torch(score):
    torch = pytest.importorskip("torch", reason="NO PYTORCH: the bridge to captum was not tested")
    pytest.importorskip("captum")
    import captum_maps

    x = RNG.normal(size=(2, 4, 5, 3)).astype("float32")
    tensor = torch.from_numpy(x).requires_grad_()
    values = captum_maps.TorchScore(score)(tensor)
    np.testing.assert_allclose(values.detach(), score.values(x), rtol=1e-6)
    (values * torch.tensor([1.0, 3.0])).sum().backward()
    np.testing.assert_allclose(tensor.grad, score.gradient(x, [1.0, 3.0]), rtol=1e-6)
