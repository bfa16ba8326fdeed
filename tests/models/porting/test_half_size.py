"""Half-size weight files: what is rounded, and that they load as any other."""

import numpy as np

from tfdepthviz.models import build_depth_net
from tfdepthviz.models.porting.half_size import save_half

SHAPE = (32, 48, 3)


def test_kernels_are_rounded_and_the_rest_is_exact(tmp_path):
    net = build_depth_net("compact", SHAPE)
    path = tmp_path / "half.weights.h5"
    save_half(net, path)
    loaded = build_depth_net("compact", SHAPE, weights=path)
    for variable, stored in zip(net.weights, loaded.weights, strict=True):
        values = np.asarray(variable)
        if values.ndim > 1 and values.dtype == np.float32:
            values = values.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(np.asarray(stored), values, err_msg=variable.path)


def test_size(tmp_path):
    net = build_depth_net("compact", SHAPE)
    net.save_weights(tmp_path / "full.weights.h5")
    save_half(net, tmp_path / "half.weights.h5")
    full, half = ((tmp_path / f"{name}.weights.h5").stat().st_size for name in ("full", "half"))
    assert half < 0.6 * full
