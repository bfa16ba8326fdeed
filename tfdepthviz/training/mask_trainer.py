"""MaskTrainer: Algorithm 1, a mask generator G trained on a frozen depth network N."""

import keras
import tensorflow as tf

from tfdepthviz import losses, metrics
from tfdepthviz.masks import apply_mask
from tfdepthviz.metrics import alignment
from tfdepthviz.models.target import as_target
from tfdepthviz.training import finiteness, sparsity
from tfdepthviz.training.relaxations import check_relaxation, relaxed
from tfdepthviz.utils.errors import InputError

# l_dif as published.
TERMS = ("depth", "gradient", "normal")
OBJECTIVES = ("preserve", "delete")
# Price of a pixel that is missing within the budget, against which lambda settles.
REWARD = 0.5


class MaskTrainer(keras.Model):
    """Trains G so that N gives the same depth from as few pixels as possible.

    L = mean over images of l_dif(N(I), N(I * G(I))) + lambda * mean(G(I)),
    l_dif = l_depth + l_grad + l_normal, or the sum of other terms,

    or, to delete what N misses most,

    L = mean over images of -l_dif(N(I), N(I * G(I))) + lambda * mean(1 - G(I)).

    A relaxation R shows N something nearer to a binary mask than G(I), N(I * R(G(I))).

    With a target sparseness, lambda follows the share of pixels that M' = [G(I) > 0.025] keeps, as
    `sparsity.prices` says, and may become negative, a reward. Where R shows the top share a
    of the mask, what N sees does not say how high the mask should be, and lambda, at least 0 then,
    is the price of pixels beyond the budget:

    L = mean over images of l_dif(N(I), N(I * R(M))) + 0.5 * within_a(M) + lambda * beyond_a(M),

    M = G(I), within and beyond the two parts of `losses.budget_terms`.

    Where N's output has no unit, losses and fidelity compare N's outputs up to scale and shift, in
    standard deviations of N(I), and N's output is brought to metres before it is rated against
    ground truth.

    N runs in inference mode throughout and none of its variables changes, batch statistics
    included. Data sets yield {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres},
    (h, w) the size of N's output; depth is only logged against and may be missing (0). Batches to
    validate on may bring N(I) along, as `teacher_cache.TeacherCache` gives it.

    Logged, means over images: `loss` (L), `loss/<term>` for each term (parts of l_dif, whose sign
    the objective does not change; as published `loss/depth`, `loss/gradient`, `loss/normal`),
    `mask/mean`, `mask/sparseness` (share of pixels above 0.025), `fidelity/rmse` (N(I*M) against
    N(I), metres), `rmse` (N(I*M) against ground truth, metres; NaN where there is none), with a
    target `sparsity_weight` (lambda). Training with a relaxation logs losses and errors of what N
    saw, validation always those of M.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres. Frozen here.
      mask_net: G, a keras.Model whose output has the size of the image.
      sparsity_weight: lambda; with a target, the value that it starts from.
      target_sparseness: share of pixels that M' is to keep, in (0, 1). None: lambda stays.
      objective: "preserve", or "delete", which knows no target.
      terms: of l_dif, names out of `losses.TERMS`.
      relaxation: out of `relaxations.RELAXATIONS`; None: "top_share" with a target, else "none".
      edge_softness: width of the edge of the top share, in standard deviations of the logits.
      steps: optimiser steps of the whole training, over which a relaxation sharpens.
      seed: of the relaxations that draw.
    Raises:
      InputError: another objective, term or relaxation, or a target for what is deleted.
    Source: Hu, Zhang, Okatani 2019 (ICCV), equations (4) and (5), Algorithm 1. Differs: nothing,
      unless a target, a relaxation or other terms are given.
    """

    def __init__(
        self,
        target,
        mask_net,
        sparsity_weight=5.0,
        target_sparseness=None,
        *,
        objective="preserve",
        terms=TERMS,
        relaxation=None,
        edge_softness=0.1,
        steps=1000,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.terms = losses.check_terms(terms)
        self.relaxation = check_relaxation(relaxation, target_sparseness)
        self.edge_softness = edge_softness
        self.steps = steps
        self.seed = seed
        self.objective = check_objective(objective)
        if objective == "delete" and target_sparseness is not None:
            raise InputError(
                f"target_sparseness={target_sparseness}: is a budget of what is kept; objective "
                "'delete' takes none"
            )
        self.target = as_target(target)
        self.target_sparseness = target_sparseness
        self.depth_net = self.target.net
        self.depth_net.trainable = False
        self.mask_net = mask_net
        # A variable, so that it can change while training; every replica computes the same value.
        self.sparsity_weight = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
            name="sparsity_weight",
        )
        self.sparsity_weight.assign(sparsity_weight)
        self.first_sparsity_weight = sparsity_weight
        self.means = {
            name: keras.metrics.Mean(name=name)
            for name in (
                "loss",
                *(f"loss/{term}" for term in self.terms),
                "mask/mean",
                "mask/sparseness",
                *(["sparsity_weight"] if target_sparseness is not None else []),
            )
        }
        self.roots = {name: metrics.RootMean(name=name) for name in ("fidelity/rmse", "rmse")}
        # Both networks are; under a strategy Keras would else build by calling with a whole batch.
        self.built = True

    @property
    def metrics(self):
        return [*self.means.values(), *self.roots.values()]

    def call(self, image, training=False):
        return self.mask_net(image, training=training)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Keras's, under a strategy, takes the first batch of a run to build what is built."""

    def train_step(self, data):
        return self.step_and_faults(data)[0]

    def step_and_faults(self, data):
        """What `train_step` does and returns, and what was not finite: `finiteness.faults`."""
        y = self.depth_net(data["image"], training=False)
        variables = self.mask_net.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            mask = self.mask_net(data["image"], training=True)
            shown = self._shown(mask)
            y_masked = self.depth_net(apply_mask(data["image"], shown), training=False)
            parts = self._parts(y, y_masked)
            price, adapted = self._prices(mask, parts)
            terms = self._terms(parts, mask, price)
            # Gradients are summed over replicas, each of which sees its share of the batch.
            scaled = self.optimizer.scale_loss(
                tf.reduce_mean(terms["loss"]) / tf.distribute.get_strategy().num_replicas_in_sync
            )
        gradients = tape.gradient(scaled, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        if self.target_sparseness is not None:
            self.sparsity_weight.assign(adapted)
        logs = self._log(data["depth"], y, y_masked, mask, terms)
        return logs, finiteness.faults(terms, gradients, variables)

    def test_step(self, data):
        y = data.get("teacher")
        if y is None:
            y = self.depth_net(data["image"], training=False)
        mask = self.mask_net(data["image"], training=False)
        y_masked = self.depth_net(apply_mask(data["image"], mask), training=False)
        terms = self._terms(self._parts(y, y_masked), mask, self.sparsity_weight)
        return self._log(data["depth"], y, y_masked, mask, terms)

    def _shown(self, mask):
        """What N sees of G(I) while training."""
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

    def _prices(self, mask, parts):
        """lambda in this step and lambda after it."""
        if self.target_sparseness is None:
            return self.sparsity_weight, self.sparsity_weight
        kept = tf.reduce_mean(metrics.sparseness(mask))
        difference = tf.reduce_mean(losses.total(parts.values()))
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
            first=self.first_sparsity_weight,
        )
        if self.relaxation == "top_share":  # `within` opens the mask there
            return tf.maximum(price, 0.0), tf.maximum(adapted, 0.0)
        return price, adapted

    def _parts(self, y, y_masked):
        """(B,) values of the terms of l_dif."""
        y, y_masked = self.target.comparable(y, y_masked, alignment.RIDGE)
        valid = losses.everywhere(y)
        return {f"loss/{name}": losses.TERMS[name](y, y_masked, valid) for name in self.terms}

    def _terms(self, parts, mask, weight):
        """(B,) values of L and of its parts."""
        mean = price = losses.sparsity_term(mask)
        addends = [losses.total(parts.values())]
        if self.relaxation == "top_share":
            within, price = losses.budget_terms(mask, self.target_sparseness)
            addends.append(REWARD * within)
        if self.objective == "delete":
            addends, price = [-addends[0]], losses.sparsity_term(1.0 - mask)
        addends.append(tf.cast(weight, price.dtype) * price)
        return {
            "loss": losses.total(addends),
            "mask/mean": mean,
            **parts,
        }

    def _log(self, depth, y, y_masked, mask, terms):
        for name, values in terms.items():
            self.means[name].update_state(values)
        self.means["mask/sparseness"].update_state(metrics.sparseness(mask))
        if self.target_sparseness is not None:
            self.means["sparsity_weight"].update_state(self.sparsity_weight)
        fidelity = metrics.fidelity_mse(*self.target.comparable(y, y_masked))
        self.roots["fidelity/rmse"].update_state(fidelity)
        in_metres = self.target.in_metres(depth, y_masked)
        errors = metrics.depth_errors(depth, in_metres)
        self.roots["rmse"].update_state(errors["mse"], errors["valid"] > 0)
        return {metric.name: metric.result() for metric in self.metrics}


def check_objective(objective):
    """Raises InputError unless `objective` is one of OBJECTIVES."""
    if objective not in OBJECTIVES:
        raise InputError(
            f"objective must be one of {', '.join(OBJECTIVES)}. Received: {objective!r}"
        )
    return objective


class SparsityWarmup(keras.callbacks.Callback):
    """Raises lambda in a straight line from 0 to its value over the first steps.

    A mask that starts open and is priced from the first step may close everywhere before any
    structure has formed, and does not open again.

    Args:
      trainer: MaskTrainer.
      sparsity_weight: lambda after the rise.
      steps: optimiser steps of the rise; 0: none.
    """

    def __init__(self, trainer, sparsity_weight, steps):
        super().__init__()
        self.trainer = trainer
        self.sparsity_weight = sparsity_weight
        self.steps = steps

    def on_train_batch_begin(self, batch, logs=None):
        done = int(self.trainer.optimizer.iterations.numpy())
        if done <= self.steps:
            share = done / self.steps if self.steps else 1.0
            self.trainer.sparsity_weight.assign(self.sparsity_weight * share)
