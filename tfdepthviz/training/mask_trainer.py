"""MaskTrainer: Algorithm 1, which trains a mask network G on a frozen depth network N."""

import tensorflow as tf

from tfdepthviz import losses, metrics
from tfdepthviz.training import finiteness
from tfdepthviz.training.base import TargetTrainer
from tfdepthviz.training.objective import TERMS, Objective
from tfdepthviz.training.relaxations import check_relaxation, relaxed


class MaskTrainer(TargetTrainer):
    """Trains G so that N gives the same depth from as few pixels as possible.

    L = mean over images of `Objective`, equation (4), or (5) to delete what N misses most

    Example: here of made-up images.

        n = build_depth_net("compact", (64, 96, 3), weights="default")
        g = build_mask_net("compact", (64, 96, 3))
        trainer = MaskTrainer(DepthTarget(n).folded(), g, sparsity_weight=5.0)
        trainer.compile(build_optimizer("adamw", learning_rate=1e-3, weight_decay=1e-4))
        image = np.random.default_rng(0).normal(size=(4, 64, 96, 3)).astype("float32")
        depth = np.zeros((4, *n.output_shape[1:]), "float32")  # none is known
        batches = tf.data.Dataset.from_tensor_slices({"image": image, "depth": depth}).batch(2)
        trainer.fit(batches, epochs=2, shuffle=False)

    A batch is {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres}, (h, w) the size of
    N's output. Depth is only logged against; 0 = missing. A validation batch may hold N(I) as
    "teacher", see `teacher_cache.TeacherCache`.

    N runs in inference mode and none of its variables changes, batch statistics included. A
    relaxation R shows N a mask that is nearer to a binary one: N(I * R(M)). lambda decides how many
    pixels are kept; to ask for a share of them, use `RankingTrainer`.

    Logged, means over images: `loss` (L), `loss/<term>` for each term of l_dif, `mask/mean`,
    `mask/sparseness` (share of pixels above 0.025), `fidelity/rmse` (N(I * M) against N(I), in
    `DepthTarget.unit`), `rmse` (N(I * M) against ground truth, metres; NaN where there is none).
    Training logs what N saw, R(M) instead of M.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres. Frozen here.
      mask_net: G, a keras.Model whose output has the size of the image.
      sparsity_weight: lambda.
      objective: "preserve" or "delete".
      terms: of l_dif, names out of `losses.TERMS`.
      relaxation: out of `relaxations.RELAXATIONS`.
      steps: optimiser steps of the whole training, over which a relaxation sharpens.
      seed: of the relaxations that draw.
    Raises:
      InputError: unknown objective, term or relaxation.
    Source: Hu, Zhang, Okatani 2019 (ICCV), equations (4) and (5), Algorithm 1. Differs: nothing,
      unless a relaxation or other terms are used.
    """

    def __init__(
        self,
        target,
        mask_net,
        sparsity_weight=Objective.sparsity_weight,
        *,
        objective="preserve",
        terms=TERMS,
        relaxation="none",
        steps=1000,
        seed=0,
        **kwargs,
    ):
        objective = Objective(objective, losses.check_terms(terms), sparsity_weight)
        means = ["loss", *(f"loss/{term}" for term in objective.terms)]
        super().__init__(target, mask_net, [*means, "mask/mean", "mask/sparseness"], **kwargs)
        self.objective = objective
        self.relaxation = check_relaxation(relaxation)
        self.steps = steps
        self.seed = seed
        # A variable, because a warm-up changes it while training.
        self.sparsity_weight = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
            name="sparsity_weight",
        )
        self.sparsity_weight.assign(sparsity_weight)

    def step_and_faults(self, data):
        """Trains on a batch; see `StepTrainer`."""
        image = data["image"]
        y = self.depth_net(image, training=False)
        variables = self.mask_net.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            mask = self.mask_net(image, training=True)
            y_masked = self.masked_net(
                self.seen(image, self._relaxed(mask), self.seed), training=False
            )
            differences = self.objective.differences(self.target, y, y_masked)
            values = self.objective.loss(differences, mask, self.sparsity_weight)
            loss = self.replica_loss(tf.reduce_mean(values["loss"]))
        gradients = self.descend(tape, loss, variables)
        self._track(data["depth"], y, y_masked, mask, values)
        return self.logged(), finiteness.faults(values, gradients, variables)

    def test_step(self, data):
        image, y = data["image"], self.full_depth(data)
        mask = self.mask_net(image, training=False)
        y_masked = self.masked_net(self.seen(image, mask), training=False)
        values = self.objective.values(self.target, y, y_masked, mask, self.sparsity_weight)
        self._track(data["depth"], y, y_masked, mask, values)
        return self.logged()

    def _relaxed(self, mask):
        """R(M), what N sees while G learns."""
        step = self.optimizer.iterations
        return relaxed(
            self.relaxation,
            mask,
            done=tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0),
            seed=self.step_seed(self.seed),
        )

    def _track(self, depth, y, y_masked, mask, values):
        self.trackers["mask/sparseness"].update_state(metrics.sparseness(mask))
        self.track(depth, y, y_masked, values)
