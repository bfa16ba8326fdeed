"""Signature `region`: the pixels that N needs for its depth at one place of each image.

A region network answers in one pass. Without one, a short search in the graph itself, which any
server can run, follows N's gradient.
"""

import tensorflow as tf

from tfdepthviz import metrics
from tfdepthviz.export.image_inputs import (
    assert_regions,
    assert_shares,
    checked,
    covered,
    decoded,
    region_weights,
)
from tfdepthviz.masks import top_share_mask
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.training.region_search import START, region_search
from tfdepthviz.training.region_step import RegionStep

# Steps of the search: an answer takes 2 s for the compact pair on two cores.
STEPS = 4


def region_inputs():
    """Input name -> tf.TensorSpec of the signature."""
    return {
        "image_bytes": tf.TensorSpec((None,), tf.string),
        "region": tf.TensorSpec((None, None, None), tf.float32),
        "share": tf.TensorSpec((None,), tf.float32),
    }


def region_of_files(target, mask_for, size):
    """The signature as a function of its inputs.

    Args:
      target: N, a DepthTarget whose net is a function of a normalised image.
      mask_for: function of an image (B, H, W, 3), N's depth of it and a region (both (B, h, w, 1)),
        and shares (B,) -> binary mask (B, H, W, 1): `of_network` or `of_search`.
      size: (H, W) of the image.
    """

    def mean(values, weights):
        return tf.reduce_sum(weights * values, (1, 2, 3)) / tf.reduce_sum(weights, (1, 2, 3))

    def answer(image_bytes, region, share):
        image_bytes = checked(image_bytes)
        checks = [assert_shares(image_bytes, share), assert_regions(image_bytes, region)]
        with tf.control_dependencies(checks):
            share, region = tf.identity(share), tf.identity(region)
        image, parts = decoded(image_bytes, size)
        full = target.net(image)
        weights = region_weights(region, parts, full.shape[1:3])
        mask = mask_for(image, full, weights, share)
        outputs = {"binary_mask": mask, "covered": covered(parts)}
        inside = tf.image.resize(weights, size, "nearest") >= 0.5
        outputs["outside"] = mean(tf.cast(~inside, tf.float32), tf.maximum(mask, 1e-12))
        for name, shown in (("kept", mask), ("deleted", 1 - mask)):
            depth = target.net(target.shown(image, shown))
            outputs[f"{name}_depth"] = aligned_resize(depth, size)
            y_full, y = target.comparable(full, depth)
            outputs[f"region_{name}_depth"] = mean(y, weights)
            outputs[f"region_{name}_rmse"] = tf.sqrt(metrics.fidelity_mse(y_full, y, weights))
        outputs["region_depth"] = mean(y_full, weights)
        return outputs

    return answer


def of_network(scores):
    """`mask_for` by the scores of a region network, a function of image and region."""
    return lambda image, y_full, region, share: top_share_mask(scores(image, region), share)


def of_search(target, size):
    """`mask_for` by the first STEPS steps of `explain_region`, from one start.

    Args:
      target: N, a DepthTarget, as of `RegionStep`.
      size: (H, W) of the image.
    Returns:
      the function; None for an N that has no gradient.
    """
    search = region_search(size)
    logits = START * search.first_logits(size, 0, [0])
    step = RegionStep(target, size, search.learning_rate)

    def mask_for(image, y_full, region, share):
        scores = step.searched(image, y_full, region, share, logits, STEPS)
        return top_share_mask(scores, share)

    return mask_for if _has_gradient(target, size) else None


def _has_gradient(target, size):
    """Whether N's depth has a gradient with respect to its image."""

    def gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            depth = target.net(image)
        return tape.gradient(depth, image)

    image = tf.TensorSpec((None, *size, 3), tf.float32)
    try:
        traced = tf.function(gradient, input_signature=[image], autograph=False)
        return traced.get_concrete_function().structured_outputs is not None
    except LookupError:  # of an operation without one
        return False
