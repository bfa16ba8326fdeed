"""Fixtures of the porting tests: a small mask network, and published arrays that fit it."""

import golden_recipe
import pytest

from tfdepthviz.models.mask_net import mask_net


@pytest.fixture(scope="module")
def small_net():
    """The mask network with an eighth of its channels."""
    channels = (2, 4, 8, 16, 32, 64, 64, 64)
    return mask_net((16, 24, 3), channels=channels, decoder_channels=(32, 16, 8), name="small")


@pytest.fixture
def small_arrays(golden):
    """The reference's names, an eighth of its channels."""
    return golden_recipe.narrowed(golden("mask_drn_d_22"))
