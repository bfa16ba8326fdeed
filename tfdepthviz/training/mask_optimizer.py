"""MaskOptimizer: equation (3), a mask of one image found by optimising the mask itself, without G.

Such a mask proves: from these pixels, with the mean colour everywhere else, N gives this depth. It
does not prove that N looks at these pixels when it sees the whole image. The search has as many
free numbers as there are logits and fits one image, so it may find pixels that steer N, as
adversarial examples do; G must find one rule for all images. Two measures tell how much: restarts
that disagree show that other pixels would have done as well (`mask_rating.disagreement`), and fewer
logits (`Search.logit_stride`) leave the search less to steer with.

Measured: on 16 test frames of NYU, binary masks of 36 % of the pixels brought the compact N within
0.218 m of N(I) (as many Sobel edge pixels 0.584 m, random pixels 1.400 m), and two searches of one
image overlapped with an IoU of 0.225, where chance gives 0.220. (`python -m trainers.optimize_mask
--dataset=nyu --data_dir=NYU --frames=16 --batch_size=8 --steps=40 --keep=0.36`; two
cores of an AMD EPYC, Zen 5; 2026-11-22.)
"""

import numpy as np
import tensorflow as tf

from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.models.target import as_target
from tfdepthviz.removal import check_removal
from tfdepthviz.training.relaxations import binary_top_share
from tfdepthviz.training.search import SearchResult
from tfdepthviz.utils.errors import InputError

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7
# A loss that falls by less counts as unchanged.
LEAST_GAIN = 1e-3


class MaskOptimizer:
    """Searches for a mask of each image of a batch, from several starts.

    M is the sigmoid of the logits or, with a share, exactly the top share of them as 0 and 1. Each
    image has a loss and an Adam of its own and stops on its own, so images do not influence one
    another. The result is the mask of the lowest loss that the search passed.

    Args:
      target: N, frozen: a DepthTarget; a keras.Model on its own counts as one in metres.
      objective: Objective.
      search: Search.

    Example:

        optimizer = MaskOptimizer(target, Objective(share=0.36), Search(steps=60))
        result = optimizer(image)
        mask = result.best_of(result.masks)
    """

    def __init__(self, target, objective, search):
        self.target = as_target(target)
        check_removal(self.target.removal, in_graph=True)
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
        """Searches for the masks of one batch.

        Args:
          image: (B, H, W, 3) float32, normalised.
          first: number of the batch's first image in its set; its first logits depend on it.
          step: function that is called with the number of steps, summed over the images, that were
            just done or will not be needed.
        Returns:
          SearchResult.
        Raises:
          InputError: a loss is not finite.
        """
        image = tf.convert_to_tensor(image)
        y_full = self.predict(image)
        parts = []
        for restart in range(self.search.restarts):
            numbers = range(first, first + len(image))
            logits = self.search.first_logits(image.shape[1:3], restart, numbers)
            parts.append(self._search(image, y_full, logits, step or (lambda done: None)))
        grids, loss, steps = (np.stack(values) for values in zip(*parts, strict=True))
        logits = [aligned_resize(tf.constant(grid), image.shape[1:3]) for grid in grids]
        shown = np.stack([self._mask(values).numpy() for values in logits])
        return SearchResult(np.stack([values.numpy() for values in logits]), shown, loss, steps)

    def _mask(self, logits):
        """(B, H, W, 1) logits -> M."""
        share = self.objective.share
        return tf.sigmoid(logits) if share is None else binary_top_share(logits, share)

    def _predict(self, image):
        return self.depth_net(image, training=False)

    def _descend(self, image, y_full, logits, mean, square, number):
        """One step of Adam: the loss before it, (B,), then logits and moments after it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(logits)
            mask = self._mask(aligned_resize(logits, image.shape[1:3]))
            y_masked = self.depth_net(self.target.shown(image, mask), training=False)
            loss = self.objective.values(self.target, y_full, y_masked, mask)["loss"]
        # The gradient of the sum: for each image, that of its own loss.
        gradient = tape.gradient(loss, logits)
        mean = BETA_1 * mean + (1 - BETA_1) * gradient
        square = BETA_2 * square + (1 - BETA_2) * tf.square(gradient)
        root = tf.sqrt(square / (1 - BETA_2**number)) + EPSILON
        step = self.search.learning_rate * mean / (1 - BETA_1**number) / root
        return loss, logits - step, mean, square

    def _search(self, image, y_full, logits, step):
        """One restart: best logits (B, h, w, 1), their loss (B,) and the steps taken (B,)."""
        count, most = len(logits), self.search.steps
        best, lowest = logits.copy(), np.full(count, np.inf, "float32")
        # The loss that has to be lowered further, and the step that reached it.
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
                going, places = going[stay], np.flatnonzero(stay)
                image, y_full, *state = (tf.gather(x, places) for x in (image, y_full, *state))
            if not len(going):
                break
        return best, lowest, steps
