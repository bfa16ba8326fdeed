"""Networks against the outputs of the reference implementations with made-up weights."""

import golden_recipe
import numpy as np
import pytest

from tfdepthviz.models import build_depth_net, build_mask_net, porting

BUILDERS = {
    "hu_resnet50": (build_depth_net, "hu_resnet50"),
    "hu_densenet161": (build_depth_net, "hu_densenet161"),
    "hu_senet154": (build_depth_net, "hu_senet154"),
    "fcrn_resnet50": (build_depth_net, "fcrn_resnet50"),
    "mask_drn_d_22": (build_mask_net, "drn_d_22"),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_same_output_as_the_reference(name, golden):
    expected = golden(name)
    build, net = BUILDERS[name]
    model = build(net, input_shape=tuple(expected["input_shape"][1:]))
    porting.port_weights(model, golden_recipe.weights(expected))
    output = model(golden_recipe.image(expected), training=False)
    tolerance = 1e-4 * expected["output"].std()
    np.testing.assert_allclose(output, expected["output"], rtol=0, atol=tolerance)
