"""StepTrainer: Keras's own `fit` with one and two replicas, the pin of a private method."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz.models import DEPTH_NETS, MASK_NETS, build_depth_net, build_mask_net
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.training import DepthTrainer, MaskTrainer, RankingTrainer, build_optimizer

SIZE = (64, 96)
# Compared on one and two replicas.
SMALL_PAIRS = (("compact", "compact_edges"), ("compact", "compact_ranking"))
# Fitted on two replicas alone, because tracing them takes long.
LARGE_PAIRS = (("compact", "drn_d_22"), ("fcrn_resnet50", "compact"))
# The golden trajectory of test_mask_trainer.py is of the first; the others are of its family.
LEFT_OUT = {"hu_resnet50", "hu_densenet161", "hu_senet154"}


def sgd():
    return build_optimizer("sgd", learning_rate=0.1, weight_decay=0.0)


def batches(depth_size):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, *SIZE, 3)).astype(keras.config.floatx())
    depth = rng.uniform(1, 5, (2, *depth_size, 1)).astype(keras.config.floatx())
    return tf.data.Dataset.from_tensor_slices({"image": image, "depth": depth}).batch(2)


def fitted_weights(build, strategy):
    """Weights of the network that `build` gives a trainer of, after one step of `fit`."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        trainer, net = build()
        trainer.compile(sgd())
    for layer in net.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # replicas draw differently
    started = [weight.copy() for weight in net.get_weights()]
    trainer.fit(batches(trainer.depth_net.output_shape[1:3]), shuffle=False, verbose=0)
    assert any((a != b).any() for a, b in zip(started, net.get_weights(), strict=True))
    return net.get_weights()


def check_one_and_two_replicas(build, replicas):
    one, two = (fitted_weights(build, replicas(count)) for count in (1, 2))
    for single, mirrored in zip(one, two, strict=True):
        np.testing.assert_allclose(mirrored, single, rtol=0, atol=1e-8)


def mask_trainer_of(depth_net, mask_net, trainer_class=MaskTrainer):
    """Function that builds a trainer of masks and the network that it trains."""

    def build():
        net = build_mask_net(mask_net, (*SIZE, 3))
        return trainer_class(build_depth_net(depth_net, (*SIZE, 3)), net), net

    return build


@pytest.mark.parametrize(
    ("trainer_class", "pair"), [*zip((MaskTrainer, RankingTrainer), SMALL_PAIRS, strict=True)]
)
def test_fit_of_mask_trainers(trainer_class, pair, replicas, float64):
    check_one_and_two_replicas(mask_trainer_of(*pair, trainer_class), replicas)


@pytest.mark.slow
@pytest.mark.parametrize("pair", LARGE_PAIRS)
def test_fit_of_large_networks(pair, replicas):
    weights = fitted_weights(mask_trainer_of(*pair), replicas(2))
    assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.slow
def test_fit_of_depth_trainer(replicas, float64):
    def build():
        net = build_depth_net("compact", (*SIZE, 3))
        return DepthTrainer(net), net

    check_one_and_two_replicas(build, replicas)


def test_pairs_cover_the_registry():
    depth_nets, mask_nets = (set(names) for names in zip(*SMALL_PAIRS, *LARGE_PAIRS, strict=True))
    assert depth_nets == DEPTH_NETS.keys() - LEFT_OUT and mask_nets == MASK_NETS.keys()


@pytest.mark.parametrize("trainer_class", [MaskTrainer, RankingTrainer, DepthTrainer])
def test_example_of_the_docstring(trainer_class):
    text = inspect.getdoc(trainer_class).partition("Example")[2].partition("\n\n")[2]
    lines = text.partition("\n\n")[0].splitlines()
    assert 5 < len(lines) < 10 and all(line.startswith("    ") for line in lines)
    names = {**globals(), "DepthTarget": DepthTarget}
    exec("\n".join(line[4:] for line in lines), names)
    assert int(names["trainer"].optimizer.iterations.numpy()) in (2, 4)


class Unpinned(DepthTrainer):
    """DepthTrainer with Keras's own method instead of the pin."""

    _maybe_symbolic_build = keras.Model._maybe_symbolic_build


@pytest.mark.parametrize("trainer_class, starts", [(DepthTrainer, 1), (Unpinned, 2)])
def test_pin_of_a_private_method(trainer_class, starts, replicas):
    """If the second case fails, this Keras starts a data set once: the pin may go."""
    started = []

    def examples():
        started.append(True)
        frames = tiny_nets.frames(4)
        for image, depth in zip(frames["image"], frames["depth"], strict=True):
            yield {"image": image, "depth": depth}

    shapes = {"image": (*tiny_nets.SIZE, 3), "depth": (*tiny_nets.DEPTH_SIZE, 1)}
    signature = {name: tf.TensorSpec(shape, tf.float32) for name, shape in shapes.items()}
    data = tf.data.Dataset.from_generator(examples, output_signature=signature).batch(2)
    data = data.apply(tf.data.experimental.assert_cardinality(2))
    with replicas(2).scope():
        trainer = trainer_class(tiny_nets.depth_net())
        trainer.compile(sgd())
    trainer.fit(data, epochs=1, shuffle=False, verbose=0)
    assert len(started) == starts
