"""DepthTrainer: a depth network N, trained against ground truth."""

import keras
import tensorflow as tf

from tfdepthviz import losses, metrics
from tfdepthviz.training import finiteness


class DepthTrainer(keras.Model):
    """Trains N with the sum of some of the loss terms; pixels without depth count for nothing.

    L = sum over terms of mean over images of term(y, N(I))

    Data sets yield {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres}, (h, w) the
    size of N's output. Logged: `loss`, `loss/<term>` for each term, `rmse` in metres and `rel`,
    both over the images that have ground truth.

    Args:
      depth_net: the network to train.
      terms: names out of `losses.TERMS`: l1 (Laina et al.); depth, gradient, normal (Hu et al.).
    Raises:
      InputError: no term, or an unknown one.
    Source: Hu et al. 2019 (WACV), section 3.2. Differs: L1 may be mixed with the other terms.
    """

    def __init__(self, depth_net, terms=("l1",), **kwargs):
        super().__init__(**kwargs)
        self.depth_net = depth_net
        self.terms = losses.check_terms(terms)
        self.trackers = {"loss": keras.metrics.Mean(name="loss")}
        for term in self.terms:
            self.trackers[f"loss/{term}"] = keras.metrics.Mean(name=f"loss/{term}")
        self.trackers["rmse"] = metrics.RootMean(name="rmse")
        self.trackers["rel"] = keras.metrics.Mean(name="rel")
        # The network is; under a strategy Keras would else build by calling with a whole batch.
        self.built = True

    @property
    def metrics(self):
        return list(self.trackers.values())

    def call(self, image, training=False):
        return self.depth_net(image, training=training)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Keras's, under a strategy, takes the first batch of a run to build what is built."""

    def train_step(self, data):
        return self.step_and_faults(data)[0]

    def step_and_faults(self, data):
        """What `train_step` does and returns, and what was not finite: `finiteness.faults`."""
        with tf.GradientTape() as tape:
            y = self.depth_net(data["image"], training=True)
            terms, loss = self._loss(data["depth"], y)
            # Gradients are summed over replicas, each of which sees its share of the batch.
            scaled = self.optimizer.scale_loss(
                loss / tf.distribute.get_strategy().num_replicas_in_sync
            )
        variables = self.depth_net.trainable_variables
        gradients = tape.gradient(scaled, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        logs = self._log(data["depth"], y, terms, loss)
        named = {f"loss/{name}": value for name, value in terms.items()}
        return logs, finiteness.faults(named, gradients, variables)

    def test_step(self, data):
        y = self.depth_net(data["image"], training=False)
        return self._log(data["depth"], y, *self._loss(data["depth"], y))

    def _loss(self, depth, y):
        terms = {name: tf.reduce_mean(losses.TERMS[name](depth, y)) for name in self.terms}
        return terms, losses.total(terms.values())

    def _log(self, depth, y, terms, loss):
        count = tf.shape(depth)[0]
        self.trackers["loss"].update_state(loss, count)
        for name, value in terms.items():
            self.trackers[f"loss/{name}"].update_state(value, count)
        errors = metrics.depth_errors(depth, y)
        has_truth = errors["valid"] > 0
        self.trackers["rmse"].update_state(errors["mse"], has_truth)
        self.trackers["rel"].update_state(errors["rel"], has_truth)
        return {name: tracker.result() for name, tracker in self.trackers.items()}
