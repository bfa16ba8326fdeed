"""What a model said about one image, as files: pictures to show, arrays to go on with."""

import io

import numpy as np
from PIL import Image, ImageOps

from tfdepthviz.data import image_files
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, strips
from tfdepthviz.utils.arrays import write_arrays
from tfdepthviz.utils.files import whole_folder, write_whole, writing
from tfdepthviz.utils.tables import without_nan, write_json

EXIF_ORIENTATION = 0x0112
# Of the picture in the strip, pixels: a photograph has more than anyone sees there.
LONGEST_SIDE = 640


def read_upright(path):
    """An image file as a model shall see it: turned as a camera noted in its Exif data.

    Args:
      path: JPEG or PNG file.
    Returns:
      bytes of the file as it is, or of a PNG of the turned image; and (h, w, 3) uint8 RGB of it, no
      side longer than LONGEST_SIDE.
    Raises:
      InputError: no such file, no image, or one of too many pixels.
    """
    with image_files.opened(path) as (contents, image):
        turned = image.getexif().get(EXIF_ORIENTATION, 1) != 1
        upright = ImageOps.exif_transpose(image).convert("RGB")
    if turned:
        contents = _png(np.asarray(upright))
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return contents, np.asarray(upright)


def write_explanation(folder, rgb, explanation, cut, overlay, *, name, threshold, depth_kind):
    """Writes the folder of one image, whole or not at all.

    strip.png (everything side by side, with scales), mask.png, binary_mask.png, overlay.png,
    depth.png and masked_depth.png (both in the colours of the strip), maps.npz (float32, as the
    model gave them), result.json.

    Args:
      folder: pathlib.Path that is not there yet.
      rgb: (h, w, 3) uint8, the image.
      explanation, cut: what `serving.client.MaskClient` gives at `threshold`.
      overlay: bytes of a PNG file.
      name: what tables call the image.
      threshold: M' = [M > threshold].
      depth_kind: what N's output means, see `alignment.KINDS`.
    Returns:
      dict, what result.json holds.
    Raises:
      WriteError: it cannot be written.
    """
    depths = strips.drawable_pair(depth_kind, explanation.depth, explanation.masked_depth)
    scale = colours.depth_range(*depths)
    unit = alignment.unit(depth_kind)
    result = without_nan(
        {
            "image": name,
            "sparseness": cut.sparseness,
            "fidelity_rmse": cut.fidelity_rmse,
            "mask_mean": float(explanation.mask.mean()),
            "depth_kind": depth_kind,
            "colours": {"from": float(scale[0]), "to": float(scale[1]), "unit": unit},
        }
    )
    pictures = {
        "strip": strips.draw_strip(
            rgb, explanation.mask, *depths, threshold=threshold, columns=3, unit=unit
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
    with writing(folder), whole_folder(folder) as partial:
        for stem, picture in pictures.items():
            write_whole(partial / f"{stem}.png", _png(picture))
        write_whole(partial / "overlay.png", overlay)
        write_arrays(partial / "maps.npz", maps)
        write_json(partial / "result.json", result)
    return result


def _png(picture):
    """(H, W) or (H, W, 3) uint8 -> bytes of a PNG file; faster than `rendering.png`, and larger."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()
