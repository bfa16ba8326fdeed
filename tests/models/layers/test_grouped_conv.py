"""GroupedConv2D against one convolution for each group."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.models.layers import GroupedConv2D


@pytest.mark.parametrize("groups", [3, 8, 16])
@pytest.mark.parametrize("strides, padding", [(1, "same"), (2, "valid")])
def test_output_and_gradients(groups, strides, padding):
    layer = GroupedConv2D(
        4 * groups, 3, strides=strides, padding=padding, groups=groups, name="grouped"
    )
    image = tf.random.normal((2, 7, 9, 2 * groups))
    layer.build(image.shape)
    assert layer.kernel.shape == (3, 3, 2, 4 * groups)

    def group_by_group():
        kernels = tf.split(layer.kernel, groups, axis=-1)
        maps = zip(tf.split(image, groups, axis=-1), kernels, strict=True)
        return tf.concat([tf.nn.conv2d(x, k, strides, padding.upper()) for x, k in maps], -1)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        received, expected = layer(image), group_by_group()
        loss, expected_loss = tf.reduce_sum(received**3), tf.reduce_sum(expected**3)
    np.testing.assert_allclose(received, expected, atol=1e-5)
    for variable in (image, layer.kernel.value):
        gradient = tape.gradient(expected_loss, variable)
        close = {"rtol": 1e-4, "atol": 1e-4 * np.std(gradient)}
        np.testing.assert_allclose(tape.gradient(loss, variable), gradient, **close)
