"""Fixture of float64, in which random deep networks amplify no rounding."""

import keras
import pytest


@pytest.fixture
def float64():
    """Sets Keras to float64 for the rest of this test."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])
