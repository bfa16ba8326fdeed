"""Removal: what a depth network sees where a mask removes a pixel.

    shown = removed(image, binary_mask, "blur")

The published masks show the mean colour, 0 in a normalised image. No fill is neutral to a network
that was trained on whole images, so a mask should be tried with several of them.
"""

import functools

import numpy as np
from keras import ops

from tfdepthviz.masks import apply_mask
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError

# Kind -> what a removed pixel becomes, in words.
REMOVALS = {
    "mean": "the mean colour",
    "black": "black",
    "noise": "random colours",
    "blur": "the strongly blurred image",
    "linear": "colours between those of the kept pixels around it",
}
# The blur's deviation as a part of the image's shorter side.
BLUR = 0.1
# Weights of a removed pixel's direct and diagonal neighbours, and the deviation of the noise.
DIRECT, DIAGONAL, LINEAR_NOISE = 1 / 6, 1 / 12, 0.01


def removed(image, mask, kind="mean", noise=None):
    """The image without the pixels that a mask removes: I * M + fill * (1 - M).

    The fills of a pixel, in a normalised image:

        mean     0, the mean colour
        black    the value of RGB 0, 0, 0
        noise    normal numbers of mean 0 and deviation 1 in each channel
        blur     the image blurred by a Gaussian of a tenth of its shorter side
        linear   1/6 of its direct and 1/12 of its diagonal neighbours, solved for all removed
                 pixels (M < 0.5) together, plus noise of deviation 0.01

    Args:
      image: (B, H, W, 3) float, of ImageNet's normalisation.
      mask: (B, H, W, 1) float in [0, 1]; 1 keeps a pixel, 0 removes it.
      kind: out of REMOVALS.
      noise: (B, H, W, 3) float, of deviation 1, for "noise" and "linear". None: one fixed picture
        of noise for all images, so that a figure does not depend on how a set is cut into batches.
    Returns:
      (B, H, W, 3) of the image's dtype.
    Raises:
      InputError: an unknown kind, a mask that does not fit the image, or "linear" within a compiled
        function: it solves a linear system for each image, outside of graphs.
    Source: Hu et al. 2019 (ICCV) for the mean colour; Rong et al. 2022 (ROAD) for linear.
    """
    check_removal(kind)
    kept = apply_mask(image, mask)
    if kind == "mean":
        return kept
    image = ops.convert_to_tensor(image)
    if noise is None and kind in ("noise", "linear"):
        noise = _fixed_noise(*image.shape[1:])[None]
    if kind == "black":
        fill = -np.array(IMAGENET_MEAN) / np.array(IMAGENET_STD)
    elif kind == "noise":
        fill = noise
    elif kind == "blur":
        fill = gaussian_blur(image, BLUR * min(image.shape[1:3]))
    else:
        fill = _linear(image, mask) + LINEAR_NOISE * noise
    missing = 1 - ops.cast(ops.convert_to_tensor(mask), image.dtype)
    return kept + missing * ops.cast(fill, image.dtype)


def check_removal(kind, in_graph=False):
    """Returns `kind`; raises InputError unless it is a kind of removal.

    Args:
      kind: the kind.
      in_graph: whether it has to run in a compiled function, as in training and exported models.
    """
    kinds = [name for name in REMOVALS if name != "linear" or not in_graph]
    if kind == "linear" and in_graph:
        raise InputError(
            "removal=linear: solves a linear system for each image, which neither a training nor "
            f"an exported model can do; evaluation can. Expected one of {', '.join(kinds)}"
        )
    if kind not in kinds:
        raise InputError(f"removal must be one of {', '.join(kinds)}. Received: {kind!r}")
    return kind


def gaussian_blur(x, sigma):
    """Gaussian blur with reflected borders.

    Two matrix products: on a CPU, a convolution of a single channel takes twice as long.

    Args:
      x: (B, H, W, C) float.
      sigma: deviation, pixels; 0 changes nothing.
    Returns:
      the same shape and dtype.
    """
    if not sigma:
        return x
    down, across = (_blur_matrix(size, sigma) for size in x.shape[1:3])
    x = ops.einsum("rh,bhwc->brwc", ops.convert_to_tensor(down, x.dtype), x)
    return ops.einsum("sw,brwc->brsc", ops.convert_to_tensor(across, x.dtype), x)


def _blur_matrix(size, sigma):
    """(size, size): row i holds the weights of all pixels in the blurred pixel i."""
    radius = round(3 * sigma)
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    taken = np.pad(np.arange(size), radius, mode="reflect")
    matrix = np.zeros((size, size))
    for row in range(size):
        np.add.at(matrix[row], taken[row : row + 2 * radius + 1], kernel / kernel.sum())
    return matrix


@functools.cache
def _fixed_noise(height, width, channels):
    return np.random.default_rng(0).standard_normal((height, width, channels)).astype("float32")


def _linear(image, mask):
    """(B, H, W, C): each removed pixel a mean of its neighbours; 0 where no pixel is kept."""
    try:
        image, mask = (np.asarray(ops.convert_to_numpy(x)) for x in (image, mask))
    except (NotImplementedError, TypeError):  # a symbolic tensor
        check_removal("linear", in_graph=True)
    from tfdepthviz.utils.grid_systems import filled

    kept = mask[..., 0] >= 0.5
    pairs = zip(image, kept, strict=True)
    return np.stack([filled(*pair, direct=DIRECT, diagonal=DIAGONAL) for pair in pairs])
