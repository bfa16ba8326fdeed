"""MaskTrainer: Algorithm 1, which trains a mask network G on a frozen depth network N."""

import keras
import tensorflow as tf

from tfdepthviz import losses, metrics
from tfdepthviz.masks import apply_mask
from tfdepthviz.models.target import as_target
from tfdepthviz.training import finiteness, sparsity
from tfdepthviz.training.base import StepTrainer
from tfdepthviz.training.objective import TERMS, Objective, check_objective
from tfdepthviz.training.relaxations import check_relaxation, relaxed
from tfdepthviz.utils.constants import EDGE_SOFTNESS
from tfdepthviz.utils.errors import InputError


class MaskTrainer(StepTrainer):
    """Trains G so that N gives the same depth from as few pixels as possible.

    L = mean over images of `Objective`, equation (4), or (5) to delete what N misses most

    Example: masks of the compact N that keep 40 % of the pixels, here of made-up images.

        n = build_depth_net("compact", (64, 96, 3), weights="nyu")
        g = build_mask_net("compact", (64, 96, 3))
        trainer = MaskTrainer(DepthTarget(n).folded(), g, target_sparseness=0.4)
        trainer.compile(build_optimizer("adamw", learning_rate=1e-3, weight_decay=1e-4))
        image = np.random.default_rng(0).normal(size=(4, 64, 96, 3)).astype("float32")
        depth = np.zeros((4, *n.output_shape[1:]), "float32")  # none is known
        batches = tf.data.Dataset.from_tensor_slices({"image": image, "depth": depth}).batch(2)
        trainer.fit(batches, epochs=2, shuffle=False)

    A batch is {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres}, (h, w) the size of
    N's output. Depth is only logged against; 0 = missing. A validation batch may hold N(I) as
    "teacher", see `teacher_cache.TeacherCache`.

    N runs in inference mode and none of its variables changes, batch statistics included. A
    relaxation R shows N a mask that is nearer to a binary one: N(I * R(M)).

    With a target, lambda follows the share of pixels that M' = [M > 0.025] keeps, see
    `sparsity.prices`; it may become negative, a reward. Relaxation "top_share" hides from N how
    high M is, so there the price is "share" of `Objective`, and lambda is at least 0.

    Logged, means over images: `loss` (L), `loss/<term>` for each term of l_dif, `mask/mean`,
    `mask/sparseness` (share of pixels above 0.025), `fidelity/rmse` (N(I * M) against N(I), in
    `DepthTarget.unit`), `rmse` (N(I * M) against ground truth, metres; NaN where there is none),
    and with a target `sparsity_weight` (lambda). Training logs what N saw, R(M) instead of M.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres. Frozen here.
      mask_net: G, a keras.Model whose output has the size of the image.
      sparsity_weight: lambda; with a target, its first value.
      target_sparseness: share of pixels that M' is to keep, in (0, 1). None: lambda stays.
      objective: "preserve", or "delete", which takes no target.
      terms: of l_dif, names out of `losses.TERMS`.
      relaxation: out of `relaxations.RELAXATIONS`; None: "top_share" with a target, else "none".
      edge_softness: width of the edge of the top share, in standard deviations of the logits.
      steps: optimiser steps of the whole training, over which a relaxation sharpens.
      seed: of the relaxations that draw.
    Raises:
      InputError: unknown objective, term or relaxation, or a target with "delete".
    Source: Hu, Zhang, Okatani 2019 (ICCV), equations (4) and (5), Algorithm 1. Differs: nothing,
      unless a target, a relaxation or other terms are used.
    """

    def __init__(
        self,
        target,
        mask_net,
        sparsity_weight=Objective.sparsity_weight,
        target_sparseness=None,
        *,
        objective="preserve",
        terms=TERMS,
        relaxation=None,
        edge_softness=EDGE_SOFTNESS,
        steps=1000,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.relaxation = check_relaxation(relaxation, target_sparseness)
        self.edge_softness = edge_softness
        self.steps = steps
        self.seed = seed
        if check_objective(objective) == "delete" and target_sparseness is not None:
            raise InputError(
                f"target_sparseness={target_sparseness}: is a share of pixels to keep; objective "
                "'delete' takes none"
            )
        hides_mask = self.relaxation == "top_share"
        self.objective = Objective(
            objective,
            losses.check_terms(terms),
            sparsity_weight,
            target_sparseness,
            price="share" if hides_mask else "mean",
        )
        self.target = as_target(target)
        self.target_sparseness = target_sparseness
        self.depth_net = self.target.net
        self.depth_net.trainable = False
        self.mask_net = mask_net
        # A variable, because it changes while training; every replica computes the same value.
        self.sparsity_weight = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
            name="sparsity_weight",
        )
        self.sparsity_weight.assign(sparsity_weight)
        names = ["loss", *(f"loss/{term}" for term in self.objective.terms)]
        names += ["mask/mean", "mask/sparseness"]
        names += ["sparsity_weight"] if target_sparseness is not None else []
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        for name in ("fidelity/rmse", "rmse"):
            self.trackers[name] = metrics.RootMean(name=name)

    def call(self, image, training=False):
        return self.mask_net(image, training=training)

    def step_and_faults(self, data):
        """Trains on a batch; see `StepTrainer`."""
        image = data["image"]
        y = self.depth_net(image, training=False)
        variables = self.mask_net.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            mask = self.mask_net(image, training=True)
            y_masked = self.depth_net(apply_mask(image, self._relaxed(mask)), training=False)
            differences = self.objective.differences(self.target, y, y_masked)
            price, adapted = self._prices(mask, differences)
            values = self.objective.loss(differences, mask, price)
            loss = self.replica_loss(tf.reduce_mean(values["loss"]))
        gradients = self.descend(tape, loss, variables)
        if self.target_sparseness is not None:
            self.sparsity_weight.assign(adapted)
        self._track(data["depth"], y, y_masked, mask, values)
        return self.logged(), finiteness.faults(values, gradients, variables)

    def test_step(self, data):
        image = data["image"]
        y = data.get("teacher")
        if y is None:
            y = self.depth_net(image, training=False)
        mask = self.mask_net(image, training=False)
        y_masked = self.depth_net(apply_mask(image, mask), training=False)
        values = self.objective.values(self.target, y, y_masked, mask, self.sparsity_weight)
        self._track(data["depth"], y, y_masked, mask, values)
        return self.logged()

    def _relaxed(self, mask):
        """R(M), what N sees while G learns."""
        step = self.optimizer.iterations
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack([self.seed, tf.cast(step, tf.int32)])
        return relaxed(
            self.relaxation,
            mask,
            share=self.target_sparseness,
            softness=self.edge_softness,
            done=tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0),
            seed=tf.random.experimental.stateless_fold_in(seed, replica),
        )

    def _prices(self, mask, differences):
        """lambda in this step and lambda after it."""
        if self.target_sparseness is None:
            return self.sparsity_weight, self.sparsity_weight
        kept = tf.reduce_mean(metrics.sparseness(mask))
        difference = tf.reduce_mean(losses.total(differences.values()))
        replica = tf.distribute.get_replica_context()
        kept, difference = (
            tf.stop_gradient(tf.cast(replica.all_reduce("mean", value), tf.float32))
            for value in (kept, difference)
        )
        price, adapted = sparsity.prices(
            self.sparsity_weight,
            kept,
            difference,
            target=self.target_sparseness,
            first=self.objective.sparsity_weight,
        )
        if self.objective.price == "share":  # `within` opens the mask there
            return tf.maximum(price, 0.0), tf.maximum(adapted, 0.0)
        return price, adapted

    def _track(self, depth, y, y_masked, mask, values):
        for name, per_image in values.items():
            self.trackers[name].update_state(per_image)
        self.trackers["mask/sparseness"].update_state(metrics.sparseness(mask))
        if self.target_sparseness is not None:
            self.trackers["sparsity_weight"].update_state(self.sparsity_weight)
        fidelity = metrics.fidelity_mse(*self.target.comparable(y, y_masked))
        self.trackers["fidelity/rmse"].update_state(fidelity)
        errors = metrics.depth_errors(depth, self.target.in_metres(depth, y_masked))
        self.trackers["rmse"].update_state(errors["mse"], errors["valid"] > 0)
