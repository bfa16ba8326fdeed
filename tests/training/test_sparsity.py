"""lambda under a budget, by hand."""

import numpy as np
import pytest

from tfdepthviz.training.sparsity import prices


@pytest.mark.parametrize(
    "weight, kept, price, adapted",
    [
        (2.0, 0.3, 2.0 + 10 * 2.5 * 0.05 / 0.25, 2.0 + 2.5 * 0.05),
        # It grows as fast as it falls where nothing is kept.
        (2.0, 1.0, 2.0 + 10 * 2.5 * 0.75 / 0.25, 2.0 + 2.5 * 0.25),
        (2.0, 0.0, 2.0 - 10 * 2.5, 2.0 - 2.5 * 0.25),
        # It passes 0, and what is negative may fall on.
        (0.1, 0.05, 0.1 - 10 * 0.6 * 0.2 / 0.25, 0.1 - 0.6 * 0.2),
        (-2.0, 0.2, -2.0 - 10 * 2.5 * 0.05 / 0.25, -2.0 - 2.5 * 0.05),
        # 1000 * (3 + 0.5) at most, where training started from 3.
        (3499.0, 0.5, 3499.0 + 10 * 3499.5, 3500.0),
    ],
)
def test_prices(weight, kept, price, adapted):
    received = prices(np.float32(weight), np.float32(kept), np.float32(0.5), target=0.25, first=3.0)
    np.testing.assert_allclose(received, (price, adapted), rtol=1e-5)


def test_a_difference_below_zero_keeps_the_bound_above_the_start():
    # l_depth of equal maps is ln 0.5.
    _, adapted = prices(np.float32(2.0), np.float32(1.0), np.float32(-0.69), target=0.25, first=2.0)
    assert 2.0 < adapted < 2000.0
