"""Networks, losses, metrics and masks without TensorFlow: JAX gives the same numbers.

    KERAS_BACKEND=jax python tests/test_without_tensorflow.py FOLDER

runs the other process: it reads FOLDER/{depth,mask,grouped,resized}.weights.h5 and writes
FOLDER/results.npz.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

SIZE = (30, 46)


def build():
    import keras

    from tfdepthviz.models import build_depth_net, build_mask_net
    from tfdepthviz.models.layers import GroupedConv2D, resized_conv

    resized = resized_conv.Conv2D(4, 5, size=(40, 50), name="resized")
    return {
        "depth": build_depth_net("compact", (*SIZE, 3)),
        "mask": build_mask_net("compact", (*SIZE, 3)),
        "grouped": keras.Sequential(
            [keras.Input((9, 12, 32)), GroupedConv2D(64, 3, strides=2, groups=16, name="grouped")]
        ),
        "resized": keras.Sequential([keras.Input((9, 12, 3)), resized]),
    }


def gradient(net, x):
    """Gradient of the sum of squares of a function's result with respect to its argument."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(lambda x: (net(x) ** 2).sum())(x)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        x = tf.constant(x)
        tape.watch(x)
        loss = tf.reduce_sum(net(x) ** 2)
    return tape.gradient(loss, x)


def results(nets):
    """Results of everything that must work without TensorFlow, on one random batch."""
    from keras import ops

    from tfdepthviz import losses, masks, metrics

    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, *SIZE, 3)).astype("float32")
    mask = nets["mask"].predict_on_batch(image)
    y_pred = nets["depth"].predict_on_batch(masks.apply_mask(image, mask))
    y_true = rng.uniform(1, 9, ops.shape(y_pred)).astype("float32")
    y_true[:, :3] = 0  # missing
    share = np.array([0.25, 0.5], "float32")
    scores = rng.normal(size=ops.shape(mask)).astype("float32")

    def soft(scores):
        return masks.exact_share(scores, share, 0.1)

    tensors = {
        "mask": mask,
        "depth": y_pred,
        "grouped": nets["grouped"].predict_on_batch(rng.normal(size=(2, 9, 12, 32))),
        "resized": nets["resized"].predict_on_batch(rng.normal(size=(2, 9, 12, 3))),
        "gradient_of_resized": gradient(
            nets["resized"], rng.normal(size=(2, 9, 12, 3)).astype("float32")
        ),
        "depth_term": losses.depth_term(y_true, y_pred),
        "gradient_term": losses.gradient_term(y_true, y_pred),
        "normal_term": losses.normal_term(y_true, y_pred),
        "l1_term": losses.l1_term(y_true, y_pred),
        "sparsity_term": losses.sparsity_term(mask),
        "fidelity_mse": metrics.fidelity_mse(y_true, y_pred),
        "sparseness": metrics.sparseness(mask, threshold=0.5),
        "binarised": masks.binarise(mask, threshold=0.5),
        "edge_strength": masks.edge_strength(rng.random((2, *SIZE, 3)).astype("float32")),
        "top_share_mask": masks.top_share_mask(
            rng.random(ops.shape(mask)).astype("float32"), share
        ),
        "exact_share": soft(scores),
        "gradient_of_exact_share": gradient(soft, scores),
        "random_mask": masks.random_mask(ops.shape(mask), share, seed=0),
        **metrics.depth_errors(y_true, y_pred),
    }
    return {name: ops.convert_to_numpy(value) for name, value in tensors.items()}


@pytest.mark.slow
def test_same_numbers_without_tensorflow(tmp_path):
    nets = build()
    for name, net in nets.items():
        net.save_weights(tmp_path / f"{name}.weights.h5")
    root = pathlib.Path(__file__).parents[1]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compiling is most of the time
        "PYTHONPATH": str(root),
    }
    other = subprocess.run(
        [sys.executable, "-W", "error", __file__, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert other.returncode == 0, other.stderr
    received = dict(np.load(tmp_path / "results.npz"))
    expected = results(nets)
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        assert np.isfinite(value).all(), name
        np.testing.assert_allclose(received[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def main(folder):
    sys.modules["tensorflow"] = None  # importing it raises ImportError from here on
    nets = build()
    for name, net in nets.items():
        net.load_weights(folder / f"{name}.weights.h5")
    np.savez(folder / "results.npz", **results(nets))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
