"""Parity: outputs of the reference implementations with the same made-up weights."""

import golden_recipe
import keras
import numpy as np
import pytest
from registry import GOLDEN, build

from tfdepthviz.models import porting
from tfdepthviz.models.folding import fold_batch_norm

# Batch normalisations that cannot be folded: they precede a convolution, or follow an interleaving.
LEFT = {"hu_densenet161": 82, "fcrn_resnet50": 8}


@pytest.mark.parametrize("network", GOLDEN, ids="-".join)
def test_output_of_the_reference(network, golden):
    expected = golden(GOLDEN[network])
    model = build(*network, expected["input_shape"][1:3])
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
    assert len(norms & names) == LEFT.get(network[1], 0)
    assert names >= {layer.name for layer in model.layers} - norms
