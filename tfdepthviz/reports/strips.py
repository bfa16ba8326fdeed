"""Strips: the row of pictures of one frame, from the image to the depth that N gives from I * M."""

import numpy as np
from keras import ops
from PIL import Image

from tfdepthviz.data import transforms
from tfdepthviz.metrics import alignment
from tfdepthviz.removal import removed
from tfdepthviz.reports import colours, panels
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError


def frame_maps(target, image, mask, *, y_full=None, predict=None):
    """The maps that a strip shows, for each frame of a batch.

    Args:
      target: models.target.DepthTarget, the depth network N.
      image: (B, H, W, 3) float32, normalised.
      mask: (B, H, W, 1) float in [0, 1].
      y_full: (B, h, w, 1) float, N(I), if it is known already.
      predict: function of an image batch that runs N; None: N's predict_on_batch.
    Returns:
      four float32 arrays of NumPy: rgb (B, H, W, 3) in [0, 1]; mask (B, H, W, 1); depth
      (B, h, w, 1), N(I), and masked_depth, N(I*M), both in target.unit, growing with distance.

        for frame in zip(*strips.frame_maps(target, image, mask), strict=True):
            picture = strips.draw_strip(*frame, unit=target.unit)
    """
    predict = predict or target.net.predict_on_batch
    y_full = predict(image) if y_full is None else y_full
    y_masked = predict(ops.convert_to_numpy(target.shown(image, mask)))
    maps = [mask, *target.drawable(y_full, y_masked)]
    rgb = np.clip(ops.convert_to_numpy(transforms.denormalise(image)), 0, 1)
    return rgb, *(ops.convert_to_numpy(ops.cast(m, "float32")) for m in maps)


def draw_strips(target, mask_net, image, threshold=THRESHOLD, columns=3):
    """One strip for each frame of a batch, with the masks of a mask generator.

    Args:
      target: models.target.DepthTarget, the depth network N.
      mask_net: keras.Model, the mask generator G.
      image: (B, H, W, 3) float32, normalised.
      threshold, columns: see `draw_strip`.
    Returns:
      list of B pictures, (height, width, 3) uint8 RGB.
    """
    maps = frame_maps(target, image, mask_net.predict_on_batch(image))
    return [
        draw_strip(*frame, threshold=threshold, columns=columns, unit=target.unit)
        for frame in zip(*maps, strict=True)
    ]


def drawable_pair(depth_kind, depth, masked_depth):
    """The depth maps of one frame as a strip shows them; see `alignment.drawable`.

    Args:
      depth_kind: what N's output means, one of `alignment.KINDS`.
      depth, masked_depth: (h, w) float, N(I) and N(I*M) as N gives them.
    Returns:
      two (h, w) arrays of NumPy in `alignment.unit(depth_kind)`, growing with distance.
    """
    batches = (y[None, ..., None] for y in (depth, masked_depth))
    drawable = alignment.drawable(depth_kind, *batches)
    return tuple(ops.convert_to_numpy(y)[0, ..., 0] for y in drawable)


def as_seen(rgb, binary_mask, removal="mean"):
    """An image with its removed pixels as N sees them.

    Args:
      rgb: (h, w, 3) uint8.
      binary_mask: (H, W), 0 or 1.
      removal: what N sees of a removed pixel, out of `removal.REMOVALS`.
    Returns:
      (H, W, 3) uint8; the image is resized to the mask.
    """
    size = binary_mask.shape[::-1]
    rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR))
    mask = binary_mask[..., None].astype("float32")
    image = transforms.normalise(rgb[None].astype("float32") / 255)
    fill = transforms.denormalise(removed(image, mask[None], removal))
    fill = np.round(255 * np.clip(np.asarray(fill)[0], 0, 1)).astype("uint8")
    return np.where(mask > 0, rgb, fill)


def draw_strip(image, mask, depth, masked_depth, threshold=THRESHOLD, columns=6, unit="m"):
    """Draws one frame in six titled panels.

    These are the image, the mask M, the binarised mask M', N(I), N(I*M), and N(I*M) - N(I). Both
    depth maps have the same colour scale.

    Args:
      image: (H, W, 3) uint8, or float RGB in [0, 1], not normalised.
      mask: (H, W) or (H, W, 1) float in [0, 1].
      depth: (h, w) or (h, w, 1) float, N(I), in `unit`; 0, NaN or infinite = missing.
      masked_depth: the same, N(I*M).
      threshold: grey level up to which M' removes a pixel.
      columns: 6 for one row; 3 or 2 for a narrow page.
      unit: unit of the depth maps, see `alignment.unit`.
    Returns:
      (height, width, 3) uint8 RGB.
    Raises:
      InputError: a map has a wrong shape, or the depth maps differ in size.
    """
    depth, masked_depth = _depth_pair(depth, masked_depth)
    difference = _difference(depth, masked_depth)
    scale = colours.depth_range(depth, masked_depth)
    limit = colours.difference_limit(difference)
    maps = (image, mask, depth, masked_depth, difference)
    panels_of_strip = _panels(*maps, "M", scale, limit, threshold, unit)
    return panels.draw_panels(panels_of_strip.values(), np.shape(image)[:2], columns)


def frame_panels(image, mask, depth, binary_depth, blank_depth, threshold=THRESHOLD, unit="m"):
    """The panels of one frame at a step of training, with colour scales that no step changes.

    Args:
      image, mask, depth, threshold, unit: as for `draw_strip`.
      binary_depth: (h, w) or (h, w, 1) float, N(I*M').
      blank_depth: the same, N of no pixel at all. The colour scales reach to it: full colour in
        the difference means as far from N(I) as without any pixel.
    Returns:
      dict of name -> panel of `panels.draw_panels`: image, mask, binary_mask, depth, binary_depth,
      difference.
    Raises:
      InputError: as for `draw_strip`.
    """
    depth, binary_depth = _depth_pair(depth, binary_depth)
    _, blank_depth = _depth_pair(depth, blank_depth)
    scale = colours.depth_range(depth, blank_depth)
    limit = colours.difference_limit(_difference(depth, blank_depth))
    maps = (image, mask, depth, binary_depth, _difference(depth, binary_depth))
    return _panels(*maps, "M'", scale, limit, threshold, unit)


def _depth_pair(depth, shown_depth):
    depth = colours.one_map(depth, "depth")
    shown_depth = colours.one_map(shown_depth, "masked_depth")
    if depth.shape != shown_depth.shape:
        raise InputError(
            f"depth and masked_depth must have one size. "
            f"Received: {depth.shape} and {shown_depth.shape}"
        )
    return depth, shown_depth


def _difference(depth, shown_depth):
    missing = (depth == 0) | (shown_depth == 0)
    return np.where(missing, np.nan, shown_depth - depth)


def _panels(image, mask, depth, shown_depth, difference, shown, scale, limit, threshold, unit):
    """Name -> panel; `shown` is the mask through which N saw the image, in letters."""
    image, mask = colours.rgb(image), colours.one_map(mask, "mask")
    binary = mask > threshold
    depth_scale = (colours.DEPTH_COLOURS, *scale, f"depth, {unit}")
    of_shown = "binary_depth" if shown == "M'" else "masked_depth"
    return {
        "image": ("image I", image, None),
        "mask": ("mask M", colours.grey(mask), ("gray", 0, 1, "grey level: 0 removed, 1 kept")),
        "binary_mask": (
            f"M' = M > {threshold:g}",
            colours.grey(binary),
            f"{binary.mean():.1%} of the pixels kept",
        ),
        "depth": (
            "depth from the image, N(I)",
            colours.colourise_depth(depth, *scale),
            depth_scale,
        ),
        of_shown: (
            f"depth from I * {shown}, N(I * {shown})",
            colours.colourise_depth(shown_depth, *scale),
            depth_scale,
        ),
        "difference": (
            f"difference, N(I * {shown}) - N(I)",
            colours.colourise_difference(difference, limit),
            (colours.DIFFERENCE_COLOURS, -limit, limit, f"red nearer, blue farther, {unit}"),
        ),
    }
