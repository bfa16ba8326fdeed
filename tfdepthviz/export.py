"""SavedModels of N and G in TensorFlow Serving's layout: raw images in, maps out.

Resizing and normalisation are inside, so that whoever asks needs neither this package nor Keras.
savedmodels/README.md describes the signatures to those who call them.
"""

import json
import os
import pathlib
import shutil

import tensorflow as tf

from tfdepthviz import metrics
from tfdepthviz.data.transforms import normalise
from tfdepthviz.errors import InputError
from tfdepthviz.files import write_whole
from tfdepthviz.masks import apply_mask, binarise
from tfdepthviz.models.layers import aligned_resize

MAPS = ("mask", "binary_mask", "depth", "masked_depth")


def export_savedmodel(depth_net, mask_net, base_path, *, card, version=None):
    """Writes N and G as one SavedModel, <base_path>/<version>/, whole or not at all.

    Signatures, with (H, W) the input size of N:
      serving_default: `image` (B, h, w, 3) float32, RGB in [0, 1], any h and w; maps of (h, w).
      image_bytes: `image_bytes` (B,) string, JPEG or PNG files of any sizes; maps of (H, W).
    Both give `mask` M = G(I), `binary_mask` M' = [M > 0.025], `depth` N(I) and `masked_depth`
    N(I * M) in metres, each (B, rows, columns, 1) float32, and `sparseness` (B,), the share of
    ones in M' at (H, W).

    Args:
      depth_net: N, normalised image (B, H, W, 3) -> metres (B, h', w', 1), H and W fixed.
      mask_net: G, normalised image (B, H, W, 3) -> (B, H, W, 1) in [0, 1].
      base_path: folder of this model's versions; made if it is not there.
      card: dict that JSON can hold: what N, G, data and lambda are. It becomes
        assets.extra/card.json.
      version: int of at least 1 that is not there yet; None takes the highest one plus 1.
    Returns:
      pathlib.Path of the version's folder.
    Raises:
      InputError: the networks do not fit each other, the card cannot be written as JSON, the
        version exists, or base_path is a file.
      OSError: the folder cannot be made or written to.
    """
    size = _common_size(depth_net, mask_net)
    card = _as_json(card)
    base_path = pathlib.Path(base_path)
    _free_version(base_path, version)
    base_path.mkdir(parents=True, exist_ok=True)
    # TensorFlow Serving takes every folder with a whole number for a name, and only those.
    beside = base_path / f".{os.getpid()}.part"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        _save(depth_net, mask_net, size, beside)
        write_whole(beside / "assets.extra" / "card.json", card)
        # Once more: saving takes long enough for another export to end.
        path = base_path / str(_free_version(base_path, version))
        os.rename(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return path


def explain_file(savedmodel_dir, image_path):
    """Runs an exported SavedModel on one image file.

    Args:
      savedmodel_dir: what `export_savedmodel` gave: the folder of one version.
      image_path: JPEG or PNG file of any size.
    Returns:
      dict of NumPy arrays, float32: `mask`, `binary_mask`, `depth` and `masked_depth` (H, W, 1) at
      the input size of N, `sparseness` ().
    Raises:
      InputError: no SavedModel of `export_savedmodel`, or a file that is no readable image.
    """
    try:
        contents = pathlib.Path(image_path).read_bytes()
    except OSError as error:
        raise InputError(f"{image_path}: cannot be read ({error.strerror})") from error
    try:
        loaded = tf.saved_model.load(os.fspath(savedmodel_dir))
        explain = loaded.signatures["image_bytes"]
    except (OSError, KeyError, tf.errors.OpError) as error:
        raise InputError(
            f"{savedmodel_dir}: expected the folder of one exported version, with a "
            "saved_model.pb that has the signature image_bytes"
        ) from error
    try:
        outputs = explain(image_bytes=tf.constant([contents]))
    except tf.errors.InvalidArgumentError as error:
        raise InputError(f"{image_path}: cannot be read as a JPEG or PNG image") from error
    return {name: output[0].numpy() for name, output in outputs.items()}


def _save(depth_net, mask_net, size, path):
    module = tf.Module()
    # Nothing but their variables: no Keras object, no optimiser.
    module.tracked = [variable.value for net in (depth_net, mask_net) for variable in net.variables]
    signatures = _signatures(_explainer(depth_net, mask_net, size), size)
    tf.saved_model.save(module, os.fspath(path), signatures=signatures)


def _explainer(depth_net, mask_net, size):
    """(B, H, W, 3) RGB in [0, 1] -> all outputs at (H, W); one graph, called by both signatures."""
    images = tf.TensorSpec((None, *size, 3), tf.float32)

    @tf.function(input_signature=[images], autograph=False)
    def depth(image):
        # N's output pixels lie among those of its input where evaluation takes them to lie.
        return tf.cast(aligned_resize(depth_net(image, training=False), size), tf.float32)

    @tf.function(input_signature=[images], autograph=False)
    def explain(image):
        image = normalise(image)
        mask = tf.cast(mask_net(image, training=False), tf.float32)
        return {
            "mask": mask,
            "binary_mask": binarise(mask),
            "depth": depth(image),
            "masked_depth": depth(apply_mask(image, mask)),
            "sparseness": metrics.sparseness(mask),
        }

    return explain


def _signatures(explain, size):
    """Signature name -> function of images as clients have them."""
    images = tf.TensorSpec((None, None, None, 3), tf.float32, name="image")
    files = tf.TensorSpec((None,), tf.string, name="image_bytes")

    @tf.function(input_signature=[images], autograph=False)
    def from_images(image):
        with tf.control_dependencies([_assert_unit_range(image)]):
            outputs = explain(_resize(image, size))
        given = tf.shape(image)[1:3]
        for name in MAPS:
            method = "nearest" if name == "binary_mask" else "bilinear"
            outputs[name] = _resize(outputs[name], given, method)
        # Interpolation stays between its neighbours up to rounding only.
        outputs["mask"] = tf.clip_by_value(outputs["mask"], 0.0, 1.0)
        return outputs

    def decode(contents):
        image = tf.io.decode_image(contents, channels=3, expand_animations=False)
        return _resize(tf.ensure_shape(image, (None, None, 3)), size) / 255.0

    @tf.function(input_signature=[files], autograph=False)
    def from_files(image_bytes):
        wanted = tf.TensorSpec((*size, 3), tf.float32)
        return explain(tf.map_fn(decode, image_bytes, fn_output_signature=wanted))

    return {"serving_default": from_images, "image_bytes": from_files}


def _resize(image, size, method="bilinear"):
    return tf.image.resize(image, size, method, antialias=True)


def _assert_unit_range(image):
    """Fails on 0..255 and on NaN, and lets what a client's bicubic resize overshoots pass."""
    highest = tf.strings.as_string(tf.reduce_max(tf.abs(image)))
    return tf.debugging.Assert(
        tf.reduce_all(tf.abs(image - 0.5) < 1.0),
        ["image must be RGB in [0, 1]. Received: magnitudes of up to", highest],
    )


def _common_size(depth_net, mask_net):
    """(H, W) that both networks take and that masks have."""
    image, mask_image = tuple(depth_net.input_shape), tuple(mask_net.input_shape)
    if None in image[1:] or image[3:] != (3,):
        raise InputError(f"depth_net must take (B, H, W, 3), H and W fixed. Received: {image}")
    mask, expected = tuple(mask_net.output_shape), (*image[:3], 1)
    if mask_image != image or mask != expected:
        raise InputError(
            f"mask_net must map what depth_net takes, {image}, to masks {expected}. "
            f"Received: {mask_image} to {mask}"
        )
    return image[1:3]


def _as_json(card):
    try:
        return json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(f"card must be a dict that JSON can hold ({error})") from error


def _free_version(base_path, version):
    """The version to write: the one asked for, or the highest there is plus 1."""
    if base_path.exists() and not base_path.is_dir():
        raise InputError(f"{base_path}: must be a folder of versions. Received: a file")
    names = [path.name for path in base_path.iterdir()] if base_path.is_dir() else []
    # As TensorFlow Serving reads them, "007" is version 7.
    taken = {int(name) for name in names if name.isascii() and name.isdecimal()}
    if version is None:
        return max(taken, default=0) + 1
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(f"version must be a whole number of at least 1. Received: {version!r}")
    if version in taken:
        raise InputError(
            f"{base_path / str(version)}: this version exists and is never replaced; "
            f"the next free one is {max(taken) + 1}"
        )
    return version
