"""Signatures of an exported model: from images as clients have them to maps and pictures.

Each signature is a function of the traced N and G. Its graph holds only what its outputs need:
signatures that give masks alone do not hold N. savedmodels/README.md describes them to callers.
"""

import json

import tensorflow as tf

from tfdepthviz import metrics
from tfdepthviz.data.transforms import normalise
from tfdepthviz.export import image_files
from tfdepthviz.export.image_inputs import (
    assert_shares,
    assert_some,
    assert_thresholds,
    checked,
    covered,
    decoded,
    prepared,
    resize,
)
from tfdepthviz.export.region_signature import region_inputs, region_of_files
from tfdepthviz.masks import binarise, top_share_mask
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.utils.constants import LUMA_WEIGHTS

MAPS = ("mask", "binary_mask", "depth", "masked_depth")
# A removed pixel in an overlay is its grey level times NIGHT_SCALE plus NIGHT_BLUE: a colour unlike
# a black screen or a white wall. R, G, B from 0 to 255.
NIGHT_SCALE = (0.26, 0.3, 0.35)
NIGHT_BLUE = (15.0, 25.0, 70.0)
# Longest side of an overlay, pixels; larger images are drawn smaller, which bounds time and memory.
OVERLAY_SIDE = 1280


def build_signatures(target, mask_net, size, *, card, scores_net=None, mask_for=None):
    """Builds the signatures that savedmodels/README.md describes.

    Args:
      target: N, a DepthTarget whose net is a function of a normalised image (B, H, W, 3), best as
        `networks.store` gives it.
      mask_net: G, such a function too.
      size: (H, W) of the image that both take.
      card: dict that the signature `card` gives.
      scores_net: such a function that gives G's scores, (B, H, W, 1), by which the signature
        `share` ranks pixels; None: by their grey levels in G's mask.
      mask_for: the mask of the signature `region`, see `region_signature`; None: no such signature.
    Returns:
      dict of signature name -> tf.function of the inputs named in its input signature.
    """
    depth_net, scores_net = target.net, scores_net or mask_net
    images = {"image": tf.TensorSpec((None, None, None, 3), tf.float32)}
    files = {"image_bytes": tf.TensorSpec((None,), tf.string)}

    def read(image_bytes):
        image, parts = decoded(checked(image_bytes), size)
        return image, covered(parts)

    def explain(image, seen):
        mask = mask_net(image)
        return {
            "mask": mask,
            "binary_mask": binarise(mask),
            "depth": aligned_resize(depth_net(image), size),
            "masked_depth": aligned_resize(depth_net(target.shown(image, mask)), size),
            "sparseness": metrics.sparseness(mask),
            "covered": seen,
        }

    def of_images(image):
        return _at_size_of(image, explain(*prepared(image, size)), size)

    def of_files(image_bytes):
        return explain(*read(image_bytes))

    def mask_of_images(image):
        return _at_size_of(image, {"mask": mask_net(prepared(image, size)[0])}, size)

    def mask_of_files(image_bytes):
        return {"mask": mask_net(read(image_bytes)[0])}

    def mask_png_of_files(image_bytes):
        masks = mask_net(read(image_bytes)[0])
        levels = tf.cast(tf.round(255.0 * masks), tf.uint8)
        pictures = tf.map_fn(tf.io.encode_png, levels, fn_output_signature=tf.string)
        return {"mask_png_bytes": pictures}

    def plain_mask(image):
        return {"mask": mask_net(normalise(image))}

    def overlay_of_files(image_bytes):
        image_bytes = checked(image_bytes)
        masks = mask_net(decoded(image_bytes, size)[0])
        pictures = tf.map_fn(
            lambda pair: _overlaid(*pair, size), (image_bytes, masks), fn_output_signature=tf.string
        )
        return {"overlay_bytes": pictures}

    def cut(image, seen, binary):
        full, masked = depth_net(image), depth_net(target.shown(image, binary))
        return {
            "binary_mask": binary,
            "binary_depth": aligned_resize(masked, size),
            "sparseness": tf.reduce_mean(binary, axis=(1, 2, 3)),
            # At N's own output size, as evaluation measures it.
            "fidelity_rmse": tf.sqrt(metrics.fidelity_mse(*target.comparable(full, masked))),
            "covered": seen,
        }

    def at_threshold(image_bytes, threshold):
        image_bytes = checked(image_bytes)
        with tf.control_dependencies([assert_thresholds(image_bytes, threshold)]):
            threshold = tf.identity(threshold)
        image, parts = decoded(image_bytes, size)
        binary = binarise(mask_net(image), tf.reshape(threshold, (-1, 1, 1, 1)))
        return cut(image, covered(parts), binary)

    def at_share(image_bytes, share):
        image_bytes = checked(image_bytes)
        with tf.control_dependencies([assert_shares(image_bytes, share)]):
            share = tf.identity(share)
        image, parts = decoded(image_bytes, size)
        return cut(image, covered(parts), top_share_mask(scores_net(image), share))

    def card_of_fields(field):
        return {"card_json": _card_texts(card, field)}

    functions = {
        "serving_default": (of_images, images),
        "image_bytes": (of_files, files),
        "mask": (mask_of_images, images),
        "mask_bytes": (mask_of_files, files),
        "mask_png": (mask_png_of_files, files),
        "plain_mask": (plain_mask, {"image": tf.TensorSpec((None, *size, 3), tf.float32)}),
        "overlay": (overlay_of_files, files),
        "threshold": (at_threshold, files | {"threshold": tf.TensorSpec((None,), tf.float32)}),
        "share": (at_share, files | {"share": tf.TensorSpec((None,), tf.float32)}),
        "card": (card_of_fields, {"field": tf.TensorSpec((None,), tf.string)}),
    }
    if mask_for is not None:
        functions["region"] = (region_of_files(target, mask_for, size), region_inputs())
    return {name: _signature(*function) for name, function in functions.items()}


def _signature(function, inputs):
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()]
    return tf.function(function, input_signature=specs, autograph=False)


def _at_size_of(image, outputs, size):
    """The outputs with their maps at the size of the image; 0 where the networks do not look."""
    height, width = tf.shape(image)[1], tf.shape(image)[2]
    for name in filter(outputs.__contains__, MAPS):
        method = "nearest" if name == "binary_mask" else "bilinear"
        outputs[name] = _placed(outputs[name], height, width, size, method)
    # Rounding may take an interpolated value out of [0, 1].
    outputs["mask"] = tf.clip_by_value(outputs["mask"], 0.0, 1.0)
    return outputs


def _placed(maps, height, width, size, method="bilinear"):
    """(B, H, W, 1) of the centred window -> (B, height, width, 1) of the whole image."""
    top, left, tall, wide = image_files.centre_window(height, width, size)
    maps = resize(maps, (tall, wide), method)
    rows, columns = (top, height - tall - top), (left, width - wide - left)
    return tf.pad(maps, ((0, 0), rows, columns, (0, 0)))


def _overlaid(contents, mask, size):
    """One file and its mask (H, W, 1) -> PNG, upright, no side longer than OVERLAY_SIDE."""
    stored, turned = image_files.decode(contents), image_files.orientation(contents)
    whole = tf.cast(tf.shape(stored)[:2], tf.float32)
    scale = tf.minimum(1.0, OVERLAY_SIDE / tf.reduce_max(whole))
    drawn = tf.maximum(1, tf.cast(tf.round(whole * scale), tf.int32))
    image = image_files.upright(resize(stored, drawn), turned)
    kept = _placed(mask[tf.newaxis], tf.shape(image)[0], tf.shape(image)[1], size)[0]
    kept = tf.clip_by_value(kept, 0.0, 1.0)
    grey = tf.reduce_sum(image * tf.constant(LUMA_WEIGHTS), axis=-1, keepdims=True)
    removed = grey * tf.constant(NIGHT_SCALE) + tf.constant(NIGHT_BLUE)
    picture = kept * image + (1.0 - kept) * removed
    return tf.io.encode_png(tf.cast(tf.round(picture), tf.uint8))


def _card_texts(card, field):
    """(B,) names of fields, "" for the whole card -> (B,) JSON texts."""
    texts = {"": card} | card
    names = tf.constant(list(texts))
    values = tf.constant([json.dumps(v, ensure_ascii=False) for v in texts.values()])
    same = tf.equal(field[:, tf.newaxis], names)
    known = tf.debugging.Assert(
        tf.reduce_all(tf.reduce_any(same, axis=1)),
        ["field must be empty, for the whole card, or one of " + ", ".join(card)],
    )
    with tf.control_dependencies([assert_some(field, "field"), known]):
        return tf.gather(values, tf.argmax(tf.cast(same, tf.int32), axis=1))
