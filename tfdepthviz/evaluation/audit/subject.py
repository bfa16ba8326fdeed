"""Subject of an audit: N, the ranking of a G, and the images that both are tested on."""

import functools

import numpy as np

from tfdepthviz import metrics
from tfdepthviz.evaluation.audit.result import Samples
from tfdepthviz.evaluation.controls import control_scores
from tfdepthviz.evaluation.measurement import top_shares
from tfdepthviz.models.target import as_target
from tfdepthviz.removal import removed
from tfdepthviz.utils.constants import SHARE
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled

# Controls that an image suffices for.
SCORED = ("random", "random_blocks", "sobel", "blurred_edges", "blurred_edges_9", "centre")


class Subject:
    """What all tests of an audit share; N(I), scores and masks are computed once.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      ranking: function of (image, first) -> (B, H, W, 1) scores, as `ranking.ranking` gives.
      images: (N, H, W, 3) float32, normalised, in the order of the data set.
      share: part of the pixels that the audited masks keep.
      untrained: the ranking of G before training; None: not known.
      training_images: (T, H, W, 3), images to learn from where a test needs some; None: the tests
        learn from a part of `images` and are rated on the others.
      mean_map: (h, w, 1), N's mean over training images; None: their mean, or the images' own.
      neighbours: pairs of places in `images` of frames that follow each other in a video.
      resamples, seed: of the bootstrap samples.
      batch_size: images that N sees at once.
      progress: called with the number of images that N has just been shown.
    """

    def __init__(
        self,
        target,
        ranking,
        images,
        *,
        share=SHARE,
        untrained=None,
        training_images=None,
        mean_map=None,
        neighbours=(),
        resamples=1000,
        seed=0,
        batch_size=8,
        progress=None,
    ):
        self.target, self.ranking, self.share = as_target(target), ranking, share
        self.images = np.asarray(images, "float32")
        if not len(self.images):
            raise InputError("the data set to audit on holds no image")
        self.untrained, self.training_images = untrained, training_images
        self.neighbours = tuple(neighbours)
        self.samples = Samples(len(self.images), resamples, seed)
        self.seed, self.batch_size = seed, batch_size
        self.progress = progress or (lambda count: None)
        self._predict = compiled(lambda image: self.target.net(image, training=False))
        self._mean_map = mean_map

    @property
    def unit(self):
        """Unit of distances from N(I)."""
        return self.target.unit

    @functools.cached_property
    def full(self):
        """(N, h, w, 1), N(I)."""
        return self.outputs(self.images)

    @functools.cached_property
    def mask(self):
        """(N, H, W, 1) float32, the audited masks: 0 and 1."""
        return self.top(self.scores)

    @functools.cached_property
    def scores(self):
        """(N, H, W, 1), by which G ranks the pixels."""
        return self.scores_of(self.ranking)

    @functools.cached_property
    def squares(self):
        """(N,) squared distance of N from N(I) with the audited masks."""
        return self.distances(self.mask)

    @functools.cached_property
    def mean_map_squares(self):
        """(N,) squared distance of N's mean map from N(I)."""
        mean_map = self._mean_map
        if mean_map is None:
            outputs = self.full if self.training_images is None else self.training_outputs
            mean_map = self._standardised(outputs).mean(axis=0)
        return self.compared(np.repeat(np.asarray(mean_map)[None], len(self.images), axis=0))

    @functools.cached_property
    def training_outputs(self):
        """(T, h, w, 1), N's depth of the training images."""
        return self.outputs(self.training_images)

    def _standardised(self, outputs):
        """Outputs that may be averaged: without a unit, of mean 0 and deviation 1 each."""
        if self.target.depth_kind == "metric":
            return outputs
        outputs = outputs - outputs.mean(axis=(1, 2, 3), keepdims=True)
        return outputs / np.maximum(outputs.std(axis=(1, 2, 3), keepdims=True), 1e-12)

    def top(self, scores, share=None):
        """(N, H, W, 1) float32: the top share of scores as 0 and 1."""
        return top_shares(scores)(self.share if share is None else share).numpy()

    def scores_of(self, ranking, images=None):
        """(N, H, W, 1) scores that a function of (image, first) gives for all images.

        Raises:
          InputError: a score that is not finite.
        """
        images = self.images if images is None else images
        starts = range(0, len(images), self.batch_size)
        parts = [np.asarray(ranking(images[i : i + self.batch_size], i)) for i in starts]
        scores = np.concatenate(parts).astype("float32")
        if not np.isfinite(scores).all():
            raise InputError("the scores of a mask or control are not finite")
        return scores

    def control(self, name):
        """(N, H, W, 1) scores of a control: one of SCORED, "untrained", "swapped" or "mirrored"."""
        if name == "untrained":
            return self.scores_of(self.untrained)
        if name == "swapped":  # neighbours would not do: in a video they are nearly equal
            return np.roll(self.scores, len(self.images) // 2, axis=0)
        if name == "mirrored":
            return self.scores[:, :, ::-1]
        functions = control_scores(self.target.net, [name], random_seeds=[self.seed])
        return self.scores_of(next(iter(functions.values())))

    def outputs(self, images, net=None):
        """(N, h, w, 1): what N, or another network, gives for images as they are.

        Raises:
          InputError: an output that is not finite.
        """
        predict = net or self._predict
        parts = []
        for first in range(0, len(images), self.batch_size):
            part = images[first : first + self.batch_size]
            parts.append(np.asarray(predict(part)))
            self.progress(len(part))
        outputs = np.concatenate(parts)
        if not np.isfinite(outputs).all():
            raise InputError("depth_net's output is not finite on an image of the audit")
        return outputs

    def shown(self, mask, *, images=None, removal=None):
        """(N, H, W, 3): images through masks, as N sees them.

        Args:
          mask: (N, H, W, 1).
          images: others than the audit's.
          removal: another kind than N's target says.
        """
        images = self.images if images is None else images
        kind = removal or self.target.removal
        return np.concatenate(
            [
                np.asarray(
                    removed(images[i : i + self.batch_size], mask[i : i + self.batch_size], kind)
                )
                for i in range(0, len(images), self.batch_size)
            ]
        )

    def distances(self, mask, *, images=None, removal=None, net=None):
        """(N,) squared distance of N(what it is shown) from N(I).

        Args:
          mask, images, removal: as for `shown`.
          net: another network to show it to.
        """
        return self.compared(self.outputs(self.shown(mask, images=images, removal=removal), net))

    def compared(self, outputs, full=None):
        """(N,) squared distance of outputs from N(I), or from other maps `full`."""
        full = self.full if full is None else full
        pair = self.target.comparable(full, outputs.astype(full.dtype))
        return np.asarray(metrics.fidelity_mse(*pair), "float64")


def overlap(one, other):
    """(N,) IoU of binary masks (N, H, W, 1)."""
    one, other = (np.reshape(mask, (len(mask), -1)) > 0 for mask in (one, other))
    union = (one | other).sum(axis=1)
    return (one & other).sum(axis=1) / np.maximum(union, 1)


def above_chance(iou, share):
    """IoU such that 0 is what random pixels reach and 1 the same pixels."""
    chance = share / (2 - share)
    return (iou - chance) / (1 - chance)
