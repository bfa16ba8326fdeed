"""Explanation of one image as files: pictures to look at, arrays to compute with."""

import numpy as np
from PIL import Image

from tfdepthviz.data import image_files
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, panels, strips
from tfdepthviz.reports.rendering import png
from tfdepthviz.utils.arrays import write_arrays
from tfdepthviz.utils.files import whole_folder, write_whole, writing
from tfdepthviz.utils.tables import without_nan, write_json

# Longest side of the image in the strip, pixels; more would not be visible there.
LONGEST_SIDE = 640


def read_upright(path):
    """Reads an image file for a served model; those of earlier versions turn no image.

    Args:
      path: image file of any format of `image_files`.
    Returns:
      bytes of the file, or of a PNG file if the image had to be turned or is of another format; and
      the upright image, (h, w, 3) uint8 RGB, no side longer than LONGEST_SIDE.
    Raises:
      InputError: no such file, not an image, or an image of too many pixels.
    """
    contents = image_files.contents_of(path)
    rgb = image_files.decode(contents, path)
    if not image_files.is_plain(contents):
        contents = png(rgb)
    small = Image.fromarray(rgb)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return contents, np.asarray(small)


def in_window(rgb, cut):
    """The part of an image that the networks saw: a centred window of the maps' aspect ratio.

    Args:
      rgb: (h, w, 3) uint8.
      cut: `serving.client.Explanation` or `serving.client.Cut` of the image.
    """
    if not cut.covered < 1:  # NaN: a model of before, which stretched the image
        return rgb
    (height, width), size = rgb.shape[:2], cut.binary_mask.shape
    tall = min(height, max(1, round(width * size[0] / size[1])))
    wide = min(width, max(1, round(height * size[1] / size[0])))
    top, left = (height - tall) // 2, (width - wide) // 2
    return rgb[top : top + tall, left : left + wide]


def write_explanation(
    folder,
    rgb,
    explanation,
    cut,
    overlay,
    *,
    name,
    source,
    threshold,
    depth_kind,
    cuts_at_shares,
    is_ranking,
    removal="mean",
):
    """Writes the folder of one image, completely or not at all.

    Its files are strip.png (see `draw_explanation`), mask.png, binary_mask.png, overlay.png,
    depth.png and masked_depth.png (both in the same colours), maps.npz (the model's float32
    outputs) and result.json.

    Args:
      folder: pathlib.Path that does not exist yet.
      rgb: (h, w, 3) uint8, the image.
      explanation, cut: results of `serving.client.MaskClient` at `threshold`.
      overlay: bytes of a PNG file.
      name: name of the image in tables.
      source: SHA-256 of the image's file.
      threshold: M' = [M > threshold].
      depth_kind: what N's output means, one of `alignment.KINDS`.
      cuts_at_shares: dict of share -> `serving.client.Cut` at that share; may be empty.
      is_ranking: whether G was trained to rank the pixels, not with lambda.
      removal: what N sees of a removed pixel, out of `removal.REMOVALS`.
    Returns:
      dict, the content of result.json.
    Raises:
      WriteError: it cannot be written.
    """
    depths = strips.drawable_pair(depth_kind, explanation.depth, explanation.masked_depth)
    scale = colours.depth_range(*depths)
    unit = alignment.unit(depth_kind)
    result = without_nan(
        {
            "image": name,
            "sha256": source,
            "sparseness": cut.sparseness,
            "fidelity_rmse": cut.fidelity_rmse,
            "mask_mean": float(explanation.mask.mean()),
            "covered": explanation.covered,
            "depth_kind": depth_kind,
            "colours": {"from": float(scale[0]), "to": float(scale[1]), "unit": unit},
        }
    )
    result["shares"] = [
        {"share": share, "sparseness": at.sparseness, "fidelity_rmse": at.fidelity_rmse}
        for share, at in cuts_at_shares.items()
    ]
    cuts = {f"{100 * share:g} % of the pixels": at for share, at in cuts_at_shares.items()}
    if not is_ranking:
        cuts = {f"M' = M > {threshold:g}": cut, **cuts}
    pictures = {
        "strip": draw_explanation(
            rgb, explanation, cuts, depth_kind, is_ranking=is_ranking, removal=removal
        ),
        "mask": colours.grey(explanation.mask)[..., 0],
        "binary_mask": colours.grey(explanation.binary_mask)[..., 0],
        "depth": colours.colourise_depth(depths[0], *scale),
        "masked_depth": colours.colourise_depth(depths[1], *scale),
    }
    maps = {
        "mask": explanation.mask,
        "binary_mask": explanation.binary_mask,
        "depth": explanation.depth,
        "masked_depth": explanation.masked_depth,
        "binary_depth": cut.binary_depth,
    }
    for share, at in cuts_at_shares.items():
        maps[f"binary_mask_{share:g}"] = at.binary_mask
        maps[f"binary_depth_{share:g}"] = at.binary_depth
    with writing(folder), whole_folder(folder) as partial:
        for stem, picture in pictures.items():
            write_whole(partial / f"{stem}.png", png(picture))
        write_whole(partial / "overlay.png", overlay)
        write_arrays(partial / "maps.npz", maps)
        write_json(partial / "result.json", result)
    return result


def draw_explanation(rgb, explanation, cuts, depth_kind, *, is_ranking, removal="mean"):
    """Draws what N is shown, and below each picture the depth that N gives from it.

    The columns are the image, the mask M, and each binary mask. Of a ranking, the second column is
    the order of the pixels, which N never sees: grey levels of its M mean nothing but their order.
    All depth maps have the colour scale of N(I). Removed pixels are drawn as N sees them.

    Args:
      rgb: (h, w, 3) uint8, the image.
      explanation: `serving.client.Explanation`, maps of (H, W).
      cuts: dict of title -> `serving.client.Cut`, maps of (H, W).
      depth_kind: what N's output means, one of `alignment.KINDS`.
      is_ranking, removal: as of `write_explanation`.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    unit, depth = alignment.unit(depth_kind), explanation.depth
    full, masked = strips.drawable_pair(depth_kind, depth, explanation.masked_depth)
    scale = colours.depth_range(full)
    depth_scale = (colours.DEPTH_COLOURS, *scale, f"depth, {unit}")
    shown = [("image I", rgb, None)]
    depths = [("depth N(I)", colours.colourise_depth(full, *scale), depth_scale)]
    if is_ranking:
        order = colours.grey(_order(explanation.mask))
        shown.append(
            ("order of the pixels", order, ("gray", 0, 1, "0 removed first, 1 kept longest"))
        )
        depths.append(None)
    else:
        grey = colours.grey(explanation.mask)
        shown.append(("mask M", grey, ("gray", 0, 1, "0 removed, 1 kept")))
        depth_of_grey = colours.colourise_depth(masked, *scale)
        depths.append(("depth N(I * M)", depth_of_grey, "N sees the grey levels of M"))
    for title, cut in cuts.items():
        kept = strips.as_seen(rgb, cut.binary_mask, removal)
        count = f"{int(cut.binary_mask.sum())} of {cut.binary_mask.size} pixels"
        shown.append((title, kept, count))
        masked = strips.drawable_pair(depth_kind, depth, cut.binary_depth)[1]
        off = f"RMSE {cut.fidelity_rmse:.3g} {unit} from N(I)"
        depths.append(("depth N(I * M')", colours.colourise_depth(masked, *scale), off))
    return panels.draw_panels([*shown, *depths], rgb.shape[:2], len(shown))


def _order(mask):
    """(H, W) float -> each pixel's place in the order of all, from 0 for the least to 1."""
    places = np.empty(mask.size, "float32")
    places[np.argsort(mask, axis=None)] = np.linspace(0, 1, mask.size)
    return places.reshape(mask.shape)
