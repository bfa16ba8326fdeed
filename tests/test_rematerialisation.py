"""Maps that are computed again: the same outputs, gradients and steps, and less that is kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz.errors import InputError
from tfdepthviz.mask_training import MaskTrainer
from tfdepthviz.models import build_depth_net
from tfdepthviz.optimizers import build_optimizer
from tfdepthviz.rematerialisation import rematerialised


@pytest.fixture(scope="module")
def compact():
    """A network with skip connections and dropout, frozen."""
    net = build_depth_net("compact", (48, 64, 3), weights="nyu")
    net.trainable = False
    return net


def with_gradient(function):
    """Traced function of an image: what it gives, and the gradient of its mean square."""

    @tf.function(autograph=False)
    def both(image):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(image)
            y = function(image)
            loss = tf.reduce_mean(tf.square(y))
        return y, tape.gradient(loss, image)

    return both


def convolutions(traced, image):
    """Forward convolutions of its graph, functions that it calls included."""
    graph = traced.get_concrete_function(image).graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return sum(node.op == "Conv2D" for node in nodes)


def test_outputs_and_gradients_are_those_of_the_network(compact):
    image = tf.constant(tiny_nets.frames(2)["image"].repeat(6, 1).repeat(6, 2)[:, :48, :64])
    plain = with_gradient(lambda x: compact(x, training=False))
    again = with_gradient(rematerialised(compact))
    for expected, found in zip(plain(image), again(image), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
    # Nearly every convolution runs twice; all but the last piece's would do.
    assert convolutions(again, image) > 1.8 * convolutions(plain, image)


def test_a_step_of_training_is_the_same():
    frames, results = tiny_nets.frames(4), []
    for rematerialise in (False, True):
        keras.utils.set_random_seed(3)
        nets = tiny_nets.depth_net(), tiny_nets.mask_net()
        before = nets[0].get_weights()
        trainer = MaskTrainer(*nets, rematerialise=rematerialise)
        trainer.compile(build_optimizer("sgd", learning_rate=1.0, weight_decay=0.0))
        trainer.optimizer.build(nets[1].trainable_variables)
        tf.function(trainer.train_step)(frames)
        results.append(nets[1].get_weights())
        for old, new in zip(before, nets[0].get_weights(), strict=True):
            np.testing.assert_array_equal(new, old)
    for plain, again in zip(*results, strict=True):
        np.testing.assert_allclose(again, plain, rtol=1e-5, atol=1e-7)


def test_under_two_replicas(replicas):
    net, image = tiny_nets.depth_net(), tf.constant(tiny_nets.frames(2)["image"])
    net.trainable = False
    again = with_gradient(rematerialised(net))
    found = replicas(2).run(lambda: again(image)[1])
    for local in found.values:
        np.testing.assert_allclose(local, again(image)[1], rtol=1e-5, atol=1e-7)


def test_a_network_that_is_no_graph_is_refused():
    class Own(keras.Model):
        def call(self, image):
            return image[..., :1]

    with pytest.raises(InputError, match="no graph of"):
        rematerialised(Own(name="own"))
