"""Compiled functions: the numbers of the function, and no warning where there are many of them."""

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.graphs import compiled


def test_many_functions_of_one_line(monkeypatch):
    # The warning's text comes from this logger; its name is private to TensorFlow.
    warnings = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda text, *_: warnings.append(text))
    for factor in range(12):
        double = compiled(lambda x, factor=factor: factor * x)
        for batch in (8, 8, 3):
            x = tf.ones((batch, 2))
            np.testing.assert_array_equal(double(x), np.full((batch, 2), factor))
    assert warnings == []
    # TensorFlow still sees a function that is traced again and again.
    square = compiled(lambda x, power: x**power)
    for power in range(12):
        square(tf.ones(2), power)
    assert len(warnings) >= 1
