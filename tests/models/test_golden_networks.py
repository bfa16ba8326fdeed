"""Networks against the outputs of the reference implementations with made-up weights."""

import golden_recipe
import keras
import numpy as np
import pytest

from tfdepthviz.models import build_depth_net, build_mask_net, porting
from tfdepthviz.models.folding import fold_batch_norm

BUILDERS = {
    "hu_resnet50": (build_depth_net, "hu_resnet50"),
    "hu_densenet161": (build_depth_net, "hu_densenet161"),
    "hu_senet154": (build_depth_net, "hu_senet154"),
    "fcrn_resnet50": (build_depth_net, "fcrn_resnet50"),
    "mask_drn_d_22": (build_mask_net, "drn_d_22"),
}
# Batch normalisations that folding leaves: before a convolution, or behind an interleaving.
LEFT = {"hu_densenet161": 82, "fcrn_resnet50": 8}


@pytest.mark.parametrize("name", BUILDERS)
def test_same_output_as_the_reference(name, golden):
    expected = golden(name)
    build, net = BUILDERS[name]
    model = build(net, input_shape=tuple(expected["input_shape"][1:]))
    porting.port_weights(model, golden_recipe.weights(expected))
    image = golden_recipe.image(expected)
    output = model(image, training=False)
    tolerance = 1e-4 * expected["output"].std()
    np.testing.assert_allclose(output, expected["output"], rtol=0, atol=tolerance)
    folded = fold_batch_norm(model)
    largest = np.abs(expected["output"]).max()
    folded_output = folded(image, training=False)
    np.testing.assert_allclose(folded_output, output, rtol=0, atol=1e-5 * largest)
    norms = {x.name for x in model.layers if isinstance(x, keras.layers.BatchNormalization)}
    names = {layer.name for layer in folded.layers}
    assert len(norms & names) == LEFT.get(name, 0)
    assert names >= {layer.name for layer in model.layers} - norms
