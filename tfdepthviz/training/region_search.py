"""RegionSearch: ranks an image's pixels by what N needs of them for its depth in one region.

The ranking is searched for each image and region alone: equations (3) and (5) with l_dif taken over
the region. It proves that N gives this depth from these pixels, with the mean colour everywhere
else. As with `MaskOptimizer`, it does not prove that N looks at no others; restarts that disagree
show that others would have done as well.
"""

import numpy as np
import tensorflow as tf

from tfdepthviz import masks
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.models.target import as_target
from tfdepthviz.training.region_step import RegionStep, temperature_at
from tfdepthviz.training.search import Search
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled

# The first logits are this part of those that `Search` draws: small against a step, so that the
# gradient and not the draw decides which pixels come first.
START = 0.1
# Steps between two looks at the binary masks, the best of which is the result.
LOOK = 10
# A region stops where the looks of `Search.patience` steps have not lowered L by this part.
LEAST_GAIN = 0.01
# Logits along the shorter side of an image, by default: one for 8x8 pixels of 228x304.
CELLS = 28


def region_search(size, **settings):
    """The usual settings of a search for regions.

    Args:
      size: (H, W) of the image.
      settings: fields of Search that differ.
    Returns:
      Search, whose `logit_stride` is by default such that CELLS logits lie along the shorter side.
    """
    stride = max(1, round(min(size) / CELLS))
    usual = {"steps": 24, "learning_rate": 0.3, "patience": 20, "restarts": 2}
    return Search(**{**usual, "logit_stride": stride, **settings})


class RegionSearch:
    """Searches rankings for one region of each image of a batch, from several starts.

        L = D(I * p) / D(0) + D(0) / (D(0) + D(I * (1 - p))),  p = exact_share(z, a, t)

    D(x) is the mean over R of (N(I) - N(x))^2, R the region. The first addend asks that the kept
    pixels suffice, the second that the others do not. z are the scores: logits on a grid of
    `Search.logit_stride` pixels, enlarged by aligned-corner interpolation, so that masks are
    smooth. Step by step, a goes through the shares and t falls from 0.3 to 0.03. One ranking serves
    all shares: smaller masks lie within larger ones. Every 10 steps N is shown the binary masks;
    the ranking whose masks have the least L is the result. Each region has an Adam of its own and
    stops on its own.

    Args:
      target: N, frozen: a DepthTarget; a keras.Model on its own counts as one in metres.
      keep: shares of the pixels to keep, in (0, 1).
      search: Search; None: `region_search`.
    Raises:
      InputError: no share, or one outside of (0, 1).
    Source: Hu, Zhang, Okatani 2019 (ICCV), equations (3) and (5); Fong et al. 2019 (extremal
      perturbations) fix the area, too. Differs: both equations at once; l_dif is the squared
      distance over a region, since single pixels have neither gradient nor normal; exact
      relaxation; several shares at once.
    """

    def __init__(self, target, keep, search=None):
        self.target = as_target(target)
        self.size = self.target.input_size
        self.search = search = search or region_search(self.size)
        self.keep = tuple(float(share) for share in np.atleast_1d(keep))
        if not self.keep or not all(0 < share < 1 for share in self.keep):
            raise InputError(f"keep must be shares above 0 and below 1. Received: {keep}")
        net = self.target.net
        image, depth, logits = (
            tf.TensorSpec((None, *shape), tf.float32)
            for shape in (net.input_shape[1:], net.output_shape[1:], (*search.grid(self.size), 1))
        )
        number = tf.TensorSpec((), tf.float32)
        one_each = tf.TensorSpec((None,), tf.float32)
        self.step = RegionStep(self.target, self.size, search.learning_rate)
        self.predict = _graph(self.step.predict, [image])
        self.look = _graph(self._look, [image, depth, depth, one_each, logits])
        state = [logits, logits, logits]
        self.descend = _graph(
            self.step.descend, [image, depth, depth, one_each, *state, number, number, number]
        )

    def __call__(self, image, region, *, first=0, step=None):
        """Searches the rankings of one batch.

        Args:
          image: (B, H, W, 3) float32, normalised.
          region: (B, h, w, 1) float32, weights of N's output pixels.
          first: number of the batch's first image in its set; its first logits depend on it.
          step: function that is called with the number of steps, summed over the images, that were
            just done or will not be needed.
        Returns:
          (R, B, H, W, 1) float32 scores of the R restarts; (R, B) float32, L of their binary
          masks, the mean over the shares; and (R, B) int, the steps taken.
        Raises:
          InputError: N's output is not finite.
        """
        image, region = tf.convert_to_tensor(image), tf.convert_to_tensor(region)
        y_full = self.predict(image)
        nothing = self.target.shown(image, tf.zeros_like(image[..., :1]))
        blank = self.step.scale(y_full, self.predict(nothing), region)
        if not np.isfinite(blank).all():
            raise InputError("depth_net's output is not finite")
        numbers = range(first, first + len(image))
        parts = []
        for restart in range(self.search.restarts):
            logits = START * self.search.first_logits(self.size, restart, numbers)
            parts.append(self._search((image, y_full, region, blank), logits, step or _ignore))
        grids, losses, steps = (np.stack(values) for values in zip(*parts, strict=True))
        scores = np.stack([aligned_resize(tf.constant(g), self.size).numpy() for g in grids])
        return scores, losses, steps

    def _look(self, image, y_full, region, blank, logits):
        """(B,) mean over the shares of L of the binary masks."""
        scores = aligned_resize(logits, self.size)
        tops = (
            masks.top_share_mask(scores, tf.fill(tf.shape(image)[:1], share)) for share in self.keep
        )
        losses = [self.step.loss(image, y_full, region, blank, top) for top in tops]
        return tf.reduce_mean(tf.stack(losses), axis=0)

    def _search(self, batch, logits, step):
        """One restart: best logits (B, h, w, 1), their L (B,) and the steps taken (B,)."""
        count, most = len(logits), self.search.steps
        best, lowest = logits.copy(), np.full(count, np.inf, "float32")
        since, steps, going = np.zeros(count, int), np.zeros(count, int), np.arange(count)
        state = [tf.constant(logits), *(tf.zeros(logits.shape) for _ in range(2))]
        for number in range(1, most + 1):
            share = tf.constant(self.keep[(number - 1) % len(self.keep)], tf.float32)
            temperature = tf.constant(temperature_at((number - 1) / max(1, most - 1)), tf.float32)
            state = self.descend(*batch, *state, tf.constant(float(number)), share, temperature)
            steps[going] = number
            if number % LOOK and number != most:
                step(len(going))
                continue
            loss = self.look(*batch, state[0]).numpy()
            if not np.isfinite(loss).all():
                raise InputError("depth_net's output is not finite for a masked image")
            gained = loss < (1 - LEAST_GAIN) * lowest[going]
            better = loss < lowest[going]
            best[going[better]] = state[0].numpy()[better]
            lowest[going] = np.minimum(lowest[going], loss)
            since[going[gained]] = number
            stay = number - since[going] < self.search.patience
            step(int(stay.sum()) + int((~stay).sum()) * (most - number + 1))
            going, places = going[stay], np.flatnonzero(stay)
            if not len(going):
                break
            if not stay.all():
                batch, state = ([tf.gather(x, places) for x in xs] for xs in (batch, state))
        return best, lowest, steps


def _graph(function, signature):
    return compiled(function, input_signature=signature, autograph=False)


def _ignore(done):
    """Takes the number of steps done, and shows nothing."""
