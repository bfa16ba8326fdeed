"""RankingTrainer: trains one mask network G to rank pixels, for every share of them at once."""

import tensorflow as tf

from tfdepthviz import losses
from tfdepthviz.masks import top_share_mask
from tfdepthviz.models.scores import scores_net
from tfdepthviz.training import finiteness
from tfdepthviz.training.base import TargetTrainer
from tfdepthviz.training.objective import Objective
from tfdepthviz.training.perturbation import perturbed, smooth_noise
from tfdepthviz.training.relaxations import exact_share
from tfdepthviz.training.shares import BINS, Shares, updated_means
from tfdepthviz.utils.constants import SHARE

FIRST_TEMPERATURE = 0.1
LAST_TEMPERATURE = FIRST_TEMPERATURE / 4
# Deviation of the noise on the scores, in temperatures.
NOISE = 8
# Shares at which validation measures the binary top share of G's scores.
RATED_SHARES = (0.05, 0.1, 0.2, 0.36, 0.6)
SHARE_NAMES = "fidelity/share_"


class RankingTrainer(TargetTrainer):
    """Trains G so that the top share of its scores keeps N's depth, whatever the share.

        L = mean over images of l_dif(N(I), N(I * p)) / E[l_dif at a]
        p = exact_share(z + 8 t e, a, t)

    z = G's scores (`models.scores`), a = a share drawn for each image anew, e = smooth noise
    (`perturbation`), E = a running mean over similar shares. The temperature t falls from 0.1 to a
    quarter of it during training. There is no lambda.
    l_dif is taken above its least value, that of N(I) with itself, so it is never below 0.

    Example: here of made-up images.

        n = build_depth_net("compact", (64, 96, 3), weights="default")
        g = build_mask_net("compact_ranking", (64, 96, 3))
        trainer = RankingTrainer(DepthTarget(n).folded(), g, keep=(0.02, 0.9), steps=4)
        trainer.compile(build_optimizer("adamw", learning_rate=3e-4, weight_decay=1e-4))
        image = np.random.default_rng(0).normal(size=(4, 64, 96, 3)).astype("float32")
        depth = np.zeros((4, *n.output_shape[1:]), "float32")  # none is known
        batches = tf.data.Dataset.from_tensor_slices({"image": image, "depth": depth}).batch(2)
        trainer.fit(batches, epochs=2, shuffle=False)

    Batches, N's mode and its frozen variables: as for `MaskTrainer`.

    Logged, means over images: `loss` (L), `loss/<term>`, `mask/mean` (of what N saw),
    `fidelity/rmse` (what N gave for it against N(I), in `DepthTarget.unit`), `rmse` (the same
    against ground truth, metres; NaN where there is none). Validation shows N the binary top 36 %
    instead; its loss is l_dif there. It adds `fidelity/share_05` to `fidelity/share_60`, the
    distance from N(I) at the RATED_SHARES.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres. Frozen here.
      mask_net: G, see `models.scores.scores_net`.
      keep: (low, high), range of the shares; equal for one share.
      terms: of l_dif, names out of `losses.TERMS`.
      smaller: see `Shares`.
      steps: optimiser steps of the whole training, over which t falls.
      seed: of the shares.
    Raises:
      InputError: an impossible range, an unknown term, or G without a sigmoid at its end.
    Source: ours. Relaxed top-k: Xie et al. 2020; several k at once: Petersen et al. 2022.
    """

    def __init__(
        self,
        target,
        mask_net,
        keep=(0.02, 0.9),
        *,
        terms=("l2",),
        smaller=Shares.smaller,
        steps=1000,
        seed=0,
        **kwargs,
    ):
        objective = Objective(terms=losses.check_terms(terms))
        means = ["loss", *(f"loss/{term}" for term in objective.terms), "mask/mean"]
        super().__init__(target, mask_net, means, map(share_name, RATED_SHARES), **kwargs)
        self.objective = objective
        self.shares = Shares(*keep, smaller)
        self.steps, self.seed = steps, seed
        self.scores_net = scores_net(mask_net)
        # Running means of l_dif, see `updated_means`; every replica computes the same values.
        self.share_means = self.add_weight(
            shape=(2, BINS),
            initializer="zeros",
            trainable=False,
            aggregation="mean",
            name="share_means",
        )

    def step_and_faults(self, data):
        """Trains on a batch; see `StepTrainer`."""
        image = data["image"]
        y = self.depth_net(image, training=False)
        region = self.drawn_regions(y, self.step_seed(self.seed))
        share, noise = self._drawn(tf.shape(image)[0], image.shape[1:3])
        temperature = self._temperature()
        variables = self.mask_net.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            scores = self.scores(image, region, training=True)
            noisy = perturbed(scores, noise, NOISE * temperature)
            shown = exact_share(noisy, share, temperature)
            y_shown = self.masked_net(self.seen(image, shown, self.seed), training=False)
            values = self.differences(y, y_shown, region)
            means, expected = self._means(values["loss"], share)
            values["loss"] = tf.math.divide_no_nan(values["loss"], expected)
            loss = self.replica_loss(tf.reduce_mean(values["loss"]))
        gradients = self.descend(tape, loss, variables)
        self.share_means.assign(means)
        values["mask/mean"] = tf.reduce_mean(shown, axis=(1, 2, 3))
        self.track(data["depth"], y, y_shown, values, region)
        return self.logged(), finiteness.faults(values, gradients, variables)

    def test_step(self, data):
        image, y = data["image"], self.full_depth(data)
        region = self.drawn_regions(y, (self.seed, 0))
        scores = self.scores(image, region, training=False)

        def rated(share):
            shown = top_share_mask(scores, tf.fill(tf.shape(image)[:1], share))
            y_shown = self.masked_net(self.seen(image, shown), training=False)
            return y_shown, tf.reduce_mean(shown, axis=(1, 2, 3))

        # A loop of the graph: TensorFlow would trace N for every share otherwise, which takes long.
        specs = tf.TensorSpec(y.shape, y.dtype), tf.TensorSpec(scores.shape[:1], scores.dtype)
        results = tf.map_fn(
            rated, tf.constant(RATED_SHARES), fn_output_signature=specs, parallel_iterations=1
        )
        for share, y_shown, kept in zip(RATED_SHARES, *map(tf.unstack, results), strict=True):
            self.trackers[share_name(share)].update_state(self.fidelity(y, y_shown, region))
            if share == SHARE:
                values = {**self.differences(y, y_shown, region), "mask/mean": kept}
                self.track(data["depth"], y, y_shown, values, region)
        return super().logged()

    def logged(self):
        """Running values in training, where the rated shares are not measured."""
        return {k: v for k, v in super().logged().items() if not k.startswith(SHARE_NAMES)}

    def get_metrics_result(self):
        """Logged values; those of the rated shares only after validation."""
        rated = {
            name: tracker.result()
            for name, tracker in self.trackers.items()
            if name.startswith(SHARE_NAMES) and float(tf.convert_to_tensor(tracker.count)) > 0
        }
        return {**self.logged(), **rated}

    def _drawn(self, count, size):
        """Shares and noise of this replica's images, parts of what is drawn for all replicas."""
        replica = tf.distribute.get_replica_context()
        number = replica.replica_id_in_sync_group
        seed = tf.stack([self.seed, tf.cast(self.optimizer.iterations, tf.int32)])
        total, own = (
            count * replica.num_replicas_in_sync,
            slice(number * count, (number + 1) * count),
        )
        return self.shares.draw(total, seed)[own], smooth_noise(total, size, seed)[own]

    def _temperature(self):
        done = tf.minimum(tf.cast(self.optimizer.iterations, tf.float32) / self.steps, 1.0)
        return FIRST_TEMPERATURE * (LAST_TEMPERATURE / FIRST_TEMPERATURE) ** done

    def drawn_regions(self, y, seed):
        """Weights of the pixels of N(I) that count, (B, h, w, 1); None: all count the same."""
        return None

    def scores(self, image, region, training):
        """G's scores, (B, H, W, 1)."""
        return self.scores_net(image, training=training)

    def differences(self, y, y_shown, region):
        """The terms of l_dif and as "loss" their sum above its least value, each (B,)."""
        differences = self.objective.differences(self.target, y, y_shown)
        least = losses.total(self.objective.differences(self.target, y, y).values())
        total = losses.total(differences.values()) - tf.stop_gradient(least)
        return {"loss": total, **differences}

    def _means(self, values, share):
        """Running means after the batch, and the one of each image; constants to the gradient."""
        replica = tf.distribute.get_replica_context()
        constants = tf.stop_gradient(tf.cast(values, self.share_means.dtype))
        bins = self.shares.bins(share)
        means, expected = updated_means(
            self.share_means.value, constants, bins, lambda own: replica.all_reduce("sum", own)
        )
        return means, tf.cast(expected, values.dtype)


def share_name(share):
    """Logged name of the fidelity at a share: 0.05 -> "fidelity/share_05"."""
    return f"{SHARE_NAMES}{round(100 * share):02d}"
