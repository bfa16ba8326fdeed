"""StepTrainer, which all trainers extend, and TargetTrainer, which the trainers of G extend."""

import keras
import tensorflow as tf

from tfdepthviz import metrics
from tfdepthviz.models.target import as_target
from tfdepthviz.removal import check_removal


class StepTrainer(keras.Model):
    """A keras.Model that trains one network by a step of its own.

    A subclass sets `trackers`, a dict of logged name -> keras.metrics.Metric. It defines `call`,
    `test_step` and `step_and_faults`: a function of the batch of one replica that trains on it and
    returns the logs and what was not finite, see `finiteness.faults`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.trackers = {}
        # The networks are built; otherwise Keras would call the trainer with a whole batch.
        self.built = True

    @property
    def metrics(self):
        return list(self.trackers.values())

    def compile(self, optimizer, *, jit_compile=False, **kwargs):
        """Sets the optimiser and makes its variables.

        Args:
          optimizer: keras.optimizers.Optimizer, for instance of `build_optimizer`.
          jit_compile: as for `keras.Model.compile`. By default False: on a CPU, XLA's convolutions
            are slower than oneDNN's, and under a strategy XLA fails.
          kwargs: further arguments of `keras.Model.compile`.
        """
        super().compile(optimizer, jit_compile=jit_compile, **kwargs)
        # Under MirroredStrategy, variables made inside the first traced step end `fit` with an
        # error about an unfed placeholder.
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)

    def train_step(self, data):
        return self.step_and_faults(data)[0]

    def replica_loss(self, loss):
        """The loss to differentiate in one replica, from its mean over the replica's images.

        Gradients are summed over the replicas, each of which sees its part of the batch.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return self.optimizer.scale_loss(loss / replicas)

    def descend(self, tape, loss, variables):
        """Updates the variables by one step of the optimiser.

        Args:
          tape: tf.GradientTape that recorded `loss`.
          loss: (), the result of `replica_loss`.
          variables: the network's trainable variables.
        Returns:
          list of gradients, those of `variables`.
        """
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return gradients

    def logged(self):
        """dict of logged name -> running value."""
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Replaces a private method of Keras, because there is nothing to build.

        Seen in Keras 3.15.1: under a strategy it starts the data set once more and takes a batch of
        it. A data set that shuffles anew then gives other batches than on one device.
        """
        return


class TargetTrainer(StepTrainer):
    """A StepTrainer of a mask network G on a frozen depth network N.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres. Frozen here.
      mask_net: G.
      means, roots: logged names whose values are means over images, and roots of such means.
      evaluator: N_e, keras.Model of N's input and output, which sees the masked images instead of
        N; N's depth of the whole image stays what it is compared with. Frozen here. None: N.
    """

    def __init__(self, target, mask_net, means, roots=(), evaluator=None, **kwargs):
        super().__init__(**kwargs)
        self.target = as_target(target)
        check_removal(self.target.removal, in_graph=True)
        self.depth_net = self.target.net
        self.depth_net.trainable = False
        self.masked_net = evaluator or self.depth_net
        self.masked_net.trainable = False
        self.mask_net = mask_net
        self.trackers = {name: keras.metrics.Mean(name=name) for name in means}
        for name in ("fidelity/rmse", "rmse", *roots):
            self.trackers[name] = metrics.RootMean(name=name)

    def call(self, image, training=False):
        return self.mask_net(image, training=training)

    def full_depth(self, data):
        """N(I), which a validation batch may hold as "teacher"."""
        if "teacher" in data:
            return data["teacher"]
        return self.depth_net(data["image"], training=False)

    def seen(self, image, mask, seed=None):
        """What N sees of a batch through its masks.

        Args:
          image: (B, H, W, 3), normalised.
          mask: (B, H, W, 1) in [0, 1].
          seed: int, the training's. With it, noise instead of removed pixels is drawn anew in each
            step and replica.
        """
        noise = None
        if seed is not None and self.target.removal == "noise":
            noise = tf.random.stateless_normal(tf.shape(image), self.step_seed(seed))
        return self.target.shown(image, mask, noise)

    def step_seed(self, seed):
        """(2,) int32, another one in each step and replica."""
        seed = tf.stack([seed, tf.cast(self.optimizer.iterations, tf.int32)])
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.random.experimental.stateless_fold_in(seed, replica)

    def fidelity(self, y, y_shown, region=None):
        """(B,) mean squared distance of what N gave, in the square of `DepthTarget.unit`."""
        return metrics.fidelity_mse(*self.target.comparable(y, y_shown), region)

    def track(self, depth, y, y_shown, values, region=None):
        """Adds a batch to the logged values.

        Args:
          depth: (B, h, w, 1) ground truth, metres; 0 = missing.
          y, y_shown: (B, h, w, 1), N(I) and N of what it was shown.
          values: dict of logged name -> (B,).
          region: (B, h, w, 1), weights of the pixels that fidelity is taken over; None: all.
        """
        for name, per_image in values.items():
            self.trackers[name].update_state(per_image)
        self.trackers["fidelity/rmse"].update_state(self.fidelity(y, y_shown, region))
        errors = metrics.depth_errors(depth, self.target.in_metres(depth, y_shown))
        self.trackers["rmse"].update_state(errors["mse"], errors["valid"] > 0)
