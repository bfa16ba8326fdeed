"""The optimisers' steps: those of tfa.optimizers.AdamW, and torch.optim.Adam's in NumPy."""

import keras
import numpy as np
import pytest

from tfdepthviz.training.optimizers import OPTIMIZERS, build_optimizer


def updates(optimizer, initial, gradients):
    """(steps, ...) values of one variable after each update."""
    variable = keras.Variable(initial)
    optimizer.build([variable])
    values = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
        values.append(keras.ops.convert_to_numpy(variable).copy())
    return np.stack(values)


@pytest.mark.parametrize("rate, decay", [(1e-4, 1e-4), (1e-2, 1e-1)])
def test_adamw_equals_tensorflow_addons(rate, decay, golden):
    expected = golden("tfa_adamw")
    optimizer = build_optimizer("adamw", learning_rate=rate, weight_decay=decay)
    assert type(optimizer) is keras.optimizers.AdamW
    got = updates(optimizer, expected["initial"], expected["gradients"])
    # TensorFlow Addons has epsilon 1e-7 instead of 1e-8: less than the tolerance.
    np.testing.assert_allclose(got, expected[f"lr{rate}_wd{decay}"], rtol=0, atol=1e-6)


def torch_adam(value, gradients, rate, decay, betas=(0.9, 0.999), epsilon=1e-8):
    """torch.optim.Adam(weight_decay=decay), written out from its documentation."""
    first, second = np.zeros_like(value), np.zeros_like(value)
    for step, gradient in enumerate(gradients, 1):
        gradient = gradient + decay * value
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        root = np.sqrt(second / (1 - betas[1] ** step)) + epsilon
        value = value - rate * first / (1 - betas[0] ** step) / root
        yield value


@pytest.mark.parametrize("rate, decay", [(1e-4, 1e-4), (1e-2, 1e-1)])
def test_adam_l2_equals_pytorch_adam(rate, decay):
    rng = np.random.default_rng(0)
    initial, gradients = rng.normal(size=(4, 3)), rng.normal(size=(20, 4, 3))
    optimizer = build_optimizer("adam_l2", learning_rate=rate, weight_decay=decay)
    got = updates(optimizer, initial.astype("float32"), gradients.astype("float32"))
    expected = np.stack(list(torch_adam(initial, gradients, rate, decay)))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    # Where gradients are as small as epsilon, it matters which root epsilon is added to.
    gradients *= 1e-8
    optimizer = build_optimizer("adam_l2", learning_rate=rate, weight_decay=0.0)
    got = updates(optimizer, np.zeros((4, 3), "float32"), gradients.astype("float32"))
    expected = np.stack(list(torch_adam(np.zeros((4, 3)), gradients, rate, 0.0)))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * rate)
    # Decay passes through the moments: where there is no gradient, it alone makes a full step.
    optimizer = build_optimizer("adam_l2", learning_rate=rate, weight_decay=decay)
    step = updates(optimizer, np.float32([2.0, -3.0]), np.zeros((1, 2), "float32"))
    np.testing.assert_allclose(step[0] - [2, -3], [-rate, rate], rtol=2e-2)


def test_sgd_by_hand():
    optimizer = build_optimizer("sgd", learning_rate=0.5, weight_decay=0.1)
    got = updates(optimizer, np.float32([2.0]), np.float32([[1.0], [-1.0]]))
    first = 2.0 - 0.5 * (1.0 + 0.1 * 2.0)
    np.testing.assert_allclose(got, [[first], [first - 0.5 * (-1.0 + 0.1 * first)]], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_learning_rate_falls_by_half_a_cosine(name):
    optimizer = build_optimizer(name, learning_rate=0.1, weight_decay=0.0, decay_steps=4)
    variable = keras.Variable(np.float32([1.0]))
    optimizer.build([variable])
    rates = []
    for _ in range(5):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.ones((1,))])
    np.testing.assert_allclose(rates, 0.05 * (1 + np.cos(np.pi * np.arange(5) / 4)), atol=1e-7)
    constant = build_optimizer(name, learning_rate=0.1, weight_decay=0.0)
    assert float(constant.learning_rate) == np.float32(0.1)


def test_config_of_adam_l2():
    optimizer = build_optimizer("adam_l2", learning_rate=0.1, weight_decay=0.25)
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.coupled_decay == 0.25 and again.epsilon == optimizer.epsilon
