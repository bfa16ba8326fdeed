"""DepthTrainer: trains a depth network N on ground truth."""

import keras
import tensorflow as tf

from tfdepthviz import losses, metrics
from tfdepthviz.training import finiteness
from tfdepthviz.training.base import StepTrainer


class DepthTrainer(StepTrainer):
    """Trains N with the sum of some of the loss terms; pixels without depth do not count.

    L = sum over terms of mean over images of term(y, N(I))

    A batch is {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres}, (h, w) the size of
    N's output. Logged: `loss`, `loss/<term>` for each term, `rmse` in metres and `rel`, the last
    two over the images that have ground truth.

    Example: two steps.

        n = build_depth_net("compact", (64, 96, 3))
        trainer = DepthTrainer(n, terms=("depth", "gradient", "normal"))
        trainer.compile(build_optimizer("adamw", learning_rate=1e-3, weight_decay=1e-4))
        image = np.random.default_rng(0).normal(size=(4, 64, 96, 3)).astype("float32")
        depth = np.full((4, *n.output_shape[1:]), 2.0, "float32")
        batches = tf.data.Dataset.from_tensor_slices({"image": image, "depth": depth}).batch(2)
        trainer.fit(batches, shuffle=False)

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

    def call(self, image, training=False):
        return self.depth_net(image, training=training)

    def step_and_faults(self, data):
        """Trains on a batch; see `StepTrainer`."""
        variables = self.depth_net.trainable_variables
        with tf.GradientTape() as tape:
            y = self.depth_net(data["image"], training=True)
            values = self._values(data["depth"], y)
            loss = self.replica_loss(losses.total(values.values()))
        gradients = self.descend(tape, loss, variables)
        self._track(data["depth"], y, values)
        return self.logged(), finiteness.faults(values, gradients, variables)

    def test_step(self, data):
        y = self.depth_net(data["image"], training=False)
        self._track(data["depth"], y, self._values(data["depth"], y))
        return self.logged()

    def _values(self, depth, y):
        """dict of "loss/<term>" -> (), mean over the images."""
        return {f"loss/{t}": tf.reduce_mean(losses.TERMS[t](depth, y)) for t in self.terms}

    def _track(self, depth, y, values):
        count = tf.shape(depth)[0]
        self.trackers["loss"].update_state(losses.total(values.values()), count)
        for name, value in values.items():
            self.trackers[name].update_state(value, count)
        errors = metrics.depth_errors(depth, y)
        has_truth = errors["valid"] > 0
        self.trackers["rmse"].update_state(errors["mse"], has_truth)
        self.trackers["rel"].update_state(errors["rel"], has_truth)
