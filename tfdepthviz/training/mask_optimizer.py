"""Equation (3): the mask of one image, found by optimising the mask itself. There is no G.

What such a mask proves: from these pixels, with the mean colour everywhere else, N gives this
depth. What it does not prove: that N looks at these pixels when it sees the whole image. The search
has as many free numbers as there are logits and one image to please, so it may find pixels that
steer N, as adversarial examples do, where G must find one rule for all images. Two signs of that
are measured here: restarts that disagree show that other pixels would have done as well, and
fewer logits (`logit_stride`) leave the search less to steer with.

How much that matters: on 16 test frames of NYU, binary masks of 36 % of the pixels brought the
compact N within 0.218 m of N(I) (as many Sobel edge pixels 0.584 m, random pixels 1.400 m), and two
searches of one image overlapped with an IoU of 0.225, where chance gives 0.220. (`python -m
trainers.optimize_mask --dataset=nyu --data_dir=NYU --frames=16 --batch_size=8 --steps=40
--target_sparseness=0.36`; two cores of an AMD EPYC, Zen 5; 2026-11-22.)
"""

import dataclasses
import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz import losses, masks, metrics
from tfdepthviz.metrics import alignment
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.models.target import as_target
from tfdepthviz.training.mask_trainer import TERMS, check_objective
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
# A loss that falls by less counts as standing still.
LEAST_GAIN = 1e-3


@dataclasses.dataclass(frozen=True)
class Objective:
    """What is minimised for each image.

    preserve: l_dif(N(I), N(I * M)) + lambda * mean(M), equation (3);
    delete: -l_dif(N(I), N(I * M)) + lambda * mean(1 - M), what (5) is to (4).

    With a target sparseness a, M is binary, exactly the top share a of the logits, and there is no
    price: the gradient passes as if M had a soft edge (straight-through).

    Attributes:
      kind: "preserve" or "delete".
      terms: names out of `losses.TERMS` that l_dif adds up.
      sparsity_weight: lambda; not used with a target.
      target_sparseness: share of the pixels to keep, in (0, 1), or None.
    Source: Hu et al. 2019 (ICCV), equation (3). Differs: the target is ours; Fong et al. 2019
      (extremal perturbations) fix a mask's area by a penalty.
    """

    kind: str = "preserve"
    terms: tuple = TERMS
    sparsity_weight: float = 5.0
    target_sparseness: float | None = None

    def __post_init__(self):
        check_objective(self.kind)
        losses.check_terms(self.terms)
        share = self.target_sparseness
        if share is not None and not 0 < share < 1:
            raise InputError(f"target_sparseness must be in (0, 1). Received: {share}")

    def mask(self, logits):
        """(B, H, W, 1) logits -> M, sigmoid of the logits, or their top share as 0 and 1."""
        soft = tf.sigmoid(logits)
        if self.target_sparseness is None:
            return soft
        # This search was measured with a wider edge than training has (EDGE_SOFTNESS).
        soft = masks.soft_top_share_mask(soft, self.target_sparseness, softness=0.3)
        hard = masks.top_share_mask(logits, self.target_sparseness)
        # In this order the sum is the binary mask to the last bit.
        return tf.stop_gradient(hard) + (soft - tf.stop_gradient(soft))

    def values(self, target, y_full, y_masked, mask):
        """(B,) values: "loss", its parts "loss/<term>", and "mask/mean".

        Args:
          target: N, a DepthTarget.
          y_full, y_masked: (B, h, w, 1), N(I) and N(I * M).
          mask: (B, H, W, 1), M.
        """
        y_full, y_masked = target.comparable(y_full, y_masked, alignment.RIDGE)
        valid = losses.everywhere(y_full)
        parts = {f"loss/{term}": losses.TERMS[term](y_full, y_masked, valid) for term in self.terms}
        loss, price = losses.total(parts.values()), losses.sparsity_term(mask)
        if self.kind == "delete":
            loss, price = -loss, losses.sparsity_term(1.0 - mask)
        if self.target_sparseness is None:
            loss += self.sparsity_weight * price
        return {"loss": loss, **parts, "mask/mean": losses.sparsity_term(mask)}


@dataclasses.dataclass(frozen=True)
class Search:
    """How masks are searched for.

    Attributes:
      steps: steps of Adam at most.
      learning_rate: of Adam, on the logits.
      patience: an image stops after this many steps in a row that do not lower its best loss by
        LEAST_GAIN in all.
      restarts: searches of each image, each from logits drawn anew from N(0, 1).
      logit_stride: image pixels between neighbouring logits; above 1 the logits are enlarged by
        aligned-corner interpolation, so that masks are smooth.
      seed: fixes the first logits, image by image, whatever the batches are.
    """

    steps: int = 60
    learning_rate: float = 0.1
    patience: int = 20
    restarts: int = 2
    logit_stride: int = 1
    seed: int = 0

    def grid(self, size):
        """(h, w) of the logits of an image of `size`."""
        return tuple(max(2, math.ceil(pixels / self.logit_stride)) for pixels in size)

    def first_logits(self, size, restart, images):
        """(len(images), h, w, 1) float32 for images of `size`, given by their numbers."""
        grid = self.grid(size)
        return np.stack(
            [
                np.random.default_rng((self.seed, restart, image)).standard_normal((*grid, 1))
                for image in images
            ]
        ).astype("float32")


@dataclasses.dataclass(frozen=True)
class Found:
    """Masks of B images from R restarts.

    Attributes:
      logits: (R, B, H, W, 1) float32, those with the lowest loss on the way.
      masks: (R, B, H, W, 1) float32, M of these logits; 0 and 1 with a target sparseness.
      loss: (R, B) float32, their loss.
      steps: (R, B) int, steps taken until the image stopped.
      best: (B,) int, the restart of lowest loss.
    """

    logits: np.ndarray
    masks: np.ndarray
    loss: np.ndarray
    steps: np.ndarray

    @property
    def best(self):
        return self.loss.argmin(axis=0)

    def best_of(self, values):
        """(R, B, ...) -> (B, ...) of each image's best restart."""
        return values[self.best, np.arange(values.shape[1])]


class MaskOptimizer:
    """Searches a mask for each image of a batch, from several starts.

    Images do not influence one another: each has its own loss, its own Adam and its own end. What
    is kept is the mask of the lowest loss that was seen on the way.

    Args:
      target: N, frozen: a DepthTarget; a keras.Model on its own counts as one in metres.
      objective: Objective.
      search: Search.
    """

    def __init__(self, target, objective, search):
        self.target = as_target(target)
        self.depth_net = depth_net = self.target.net
        self.objective = objective
        self.search = search
        # The batch shrinks when images stop; one trace serves all sizes.
        image, depth, logits = (
            tf.TensorSpec((None, *shape), tf.float32)
            for shape in (
                depth_net.input_shape[1:],
                depth_net.output_shape[1:],
                (*search.grid(depth_net.input_shape[1:3]), 1),
            )
        )
        self.predict = tf.function(self._predict, input_signature=[image], autograph=False)
        state = [image, depth, logits, logits, logits, tf.TensorSpec((), tf.float32)]
        self.descend = tf.function(self._descend, input_signature=state, autograph=False)

    def __call__(self, image, *, first=0, step=None):
        """Masks of one batch.

        Args:
          image: (B, H, W, 3) float32, normalised.
          first: number of the batch's first image in its set; its first logits depend on it.
          step: function that is called with how many steps of images were just done or saved.
        Returns:
          Found.
        Raises:
          InputError: a loss that is not finite.
        """
        image = tf.convert_to_tensor(image)
        y_full = self.predict(image)
        found = []
        for restart in range(self.search.restarts):
            numbers = range(first, first + len(image))
            logits = self.search.first_logits(image.shape[1:3], restart, numbers)
            found.append(self._searched(image, y_full, logits, step or (lambda done: None)))
        grids, loss, steps = (np.stack(values) for values in zip(*found, strict=True))
        logits = [aligned_resize(tf.constant(grid), image.shape[1:3]) for grid in grids]
        shown = np.stack([self.objective.mask(values).numpy() for values in logits])
        return Found(np.stack([values.numpy() for values in logits]), shown, loss, steps)

    def _predict(self, image):
        return self.depth_net(image, training=False)

    def _descend(self, image, y_full, logits, mean, square, number):
        """One step of Adam: (B,) loss before it, then logits and moments after it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(logits)
            mask = self.objective.mask(aligned_resize(logits, image.shape[1:3]))
            y_masked = self.depth_net(masks.apply_mask(image, mask), training=False)
            loss = self.objective.values(self.target, y_full, y_masked, mask)["loss"]
        # Of the sum, so that each image has the gradient of its own loss.
        gradient = tape.gradient(loss, logits)
        mean = BETA_1 * mean + (1 - BETA_1) * gradient
        square = BETA_2 * square + (1 - BETA_2) * tf.square(gradient)
        root = tf.sqrt(square / (1 - BETA_2**number)) + EPSILON
        step = self.search.learning_rate * mean / (1 - BETA_1**number) / root
        return loss, logits - step, mean, square

    def _searched(self, image, y_full, logits, step):
        """One restart: best logits (B, h, w, 1), their loss and the steps taken, (B,)."""
        count, most = len(logits), self.search.steps
        best, lowest = logits.copy(), np.full(count, np.inf, "float32")
        # The loss that has to be undercut, and since when.
        mark, since = lowest.copy(), np.zeros(count, int)
        steps = np.zeros(count, int)
        going = np.arange(count)
        state = [tf.constant(logits), *(tf.zeros(logits.shape) for _ in range(2))]
        for number in range(1, most + 1):
            before = state[0]
            loss, *state = self.descend(image, y_full, *state, tf.constant(float(number)))
            loss = loss.numpy()
            if not np.isfinite(loss).all():
                raise InputError(
                    f"the loss of image {going[~np.isfinite(loss)][0]} of the batch is not finite "
                    f"at step {number}; try a lower learning rate"
                )
            better = loss < lowest[going]
            best[going[better]] = before.numpy()[better]
            lowest[going] = np.minimum(lowest[going], loss)
            steps[going] = number
            gained = lowest[going] < mark[going] - LEAST_GAIN
            since[going[gained]], mark[going[gained]] = number, lowest[going[gained]]
            stay = number - since[going] < self.search.patience
            step(int(stay.sum()) + int((~stay).sum()) * (most - number + 1))
            if not stay.all():
                going, kept = going[stay], np.flatnonzero(stay)
                image, y_full, *state = (tf.gather(x, kept) for x in (image, y_full, *state))
            if not len(going):
                break
        return best, lowest, steps


def rate(target, image, mask, objective, *, threshold=THRESHOLD):
    """Figures of masks, whoever made them.

    Args:
      target, objective: as for `MaskOptimizer`.
      image: (B, H, W, 3) float32, normalised.
      mask: (B, H, W, 1) float in [0, 1].
      threshold: M' = [M > threshold].
    Returns:
      dict of (B,) arrays: "loss" and its parts as `Objective.values` gives them; "sparseness", the
      share of pixels that M' keeps; "fidelity_rmse" and "binary_fidelity_rmse", distance of N(I*M)
      and of N(I*M') from N(I), in `alignment.unit`.
    """
    target, mask = as_target(target), tf.convert_to_tensor(mask)
    binary = masks.binarise(mask, threshold)
    full, soft, hard = (
        target.net(shown, training=False)
        for shown in (image, masks.apply_mask(image, mask), masks.apply_mask(image, binary))
    )
    figures = objective.values(target, full, soft, mask)
    figures["sparseness"] = metrics.sparseness(mask, threshold)
    for name, y in (("fidelity_rmse", soft), ("binary_fidelity_rmse", hard)):
        compared = target.comparable(full, y)
        figures[name] = tf.sqrt(metrics.fidelity_mse(*compared))
    return {name: keras.ops.convert_to_numpy(values) for name, values in figures.items()}


def disagreement(found, threshold=THRESHOLD):
    """How far restarts ended apart.

    For binarised masks a and b, IoU = |a and b| / |a or b|. Two random masks of their sparseness p
    and q have p q / (p + q - p q): where the restarts are no closer than that, the image does not
    determine which pixels are kept.

    Args:
      found: Found.
      threshold: M' = [M > threshold].
    Returns:
      dict: "spread" (B, H, W, 1), standard deviation of M over restarts; (B,) "mean_spread"; (B,)
      "iou" and "iou_by_chance", means over pairs of restarts, NaN with one restart.
    """
    spread = found.masks.std(axis=0)
    binary = (found.masks > threshold).reshape(*found.masks.shape[:2], -1)
    ious, chances = [], []
    for a, b in itertools.combinations(binary, 2):
        p, q = a.mean(axis=-1), b.mean(axis=-1)
        union = np.maximum((a | b).mean(axis=-1), 1e-12)
        ious.append((a & b).mean(axis=-1) / union)
        chances.append(p * q / np.maximum(p + q - p * q, 1e-12))
    none = np.full(binary.shape[1], np.nan)
    return {
        "spread": spread,
        "mean_spread": spread.mean(axis=(1, 2, 3)),
        "iou": np.mean(ious, axis=0) if ious else none,
        "iou_by_chance": np.mean(chances, axis=0) if chances else none,
    }
