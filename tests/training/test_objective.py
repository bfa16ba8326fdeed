"""Equations (3), (4) and (5) by hand."""

import numpy as np
import pytest

from tfdepthviz import losses
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.training.objective import Objective
from tfdepthviz.utils.errors import InputError


def test_values_of_single_masks():
    rng = np.random.default_rng(0)
    y, y_masked = rng.uniform(1, 4, (2, 2, 6, 8, 1)).astype("float32")
    mask = rng.random((2, 12, 16, 1)).astype("float32")
    named = (losses.depth_term, losses.gradient_term, losses.normal_term)
    valid = losses.everywhere(y)
    l_dif = sum(np.asarray(term(y, y_masked, valid)) for term in named)
    mean = mask.mean(axis=(1, 2, 3))
    for objective, expected in (
        (Objective(sparsity_weight=2.0), l_dif + 2 * mean),
        (Objective("delete", sparsity_weight=2.0), -l_dif + 2 * (1 - mean)),
        (Objective(share=0.3), l_dif),
        (Objective("delete", share=0.3), -l_dif),
    ):
        values = objective.values(DepthTarget(None), y, y_masked, mask)
        np.testing.assert_allclose(values["loss"], expected, rtol=1e-5)
        np.testing.assert_allclose(values["mask/mean"], mean, rtol=1e-5)
    with_l1 = Objective(terms=("l1",), sparsity_weight=0).values(
        DepthTarget(None), y, y_masked, mask
    )
    np.testing.assert_allclose(
        with_l1["loss/l1"], np.abs(y - y_masked).mean(axis=(1, 2, 3)), rtol=1e-5
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"kind": "keep"}, "objective must be one of preserve, delete. Received: 'keep'"),
        ({"terms": ("huber",)}, r"terms must be some of .*Received: \('huber',\)"),
        ({"terms": ()}, "terms must be some of"),
        ({"share": 1.0}, r"share must be in \(0, 1\). Received: 1.0"),
    ],
)
def test_invalid_objectives(arguments, message):
    with pytest.raises(InputError, match=message):
        Objective(**arguments)
