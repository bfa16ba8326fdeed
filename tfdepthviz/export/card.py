"""Card of an exported model: which networks, which data, and what was measured."""

import datetime
import json
import platform

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz.evaluation.audit import NOT_AUDITED
from tfdepthviz.evaluation.summary import figure_at, summarise
from tfdepthviz.removal import REMOVALS
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD, THRESHOLD, VERSION
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import without_nan

# Removal -> the colour that N sees instead of a removed pixel; rgb is None if there is not one.
BASELINES = {kind: {"name": words, "rgb": None} for kind, words in REMOVALS.items()}
BASELINES["mean"] = {"name": "ImageNet's mean colour", "rgb": list(IMAGENET_MEAN)}
BASELINES["black"]["rgb"] = [0.0, 0.0, 0.0]
HASHED = (
    "SHA-256 over the weights before any rounding: each array as little-endian float32, row by "
    "row, in the order of keras.Model.get_weights(); then variables that are not Keras's, in the "
    "order of their names"
)


def full_card(description, target, nets, size, region="none"):
    """The caller's description, completed with what the networks themselves say.

    Args:
      description: dict that JSON can hold, with none of the fields that are filled in here. Without
        a field `audit` the card says "not audited".
      target: DepthTarget.
      nets: dict of "depth_net", "mask_net" and, if there is one, "region_net" ->
        `networks.StoredNet`.
      size: (H, W) of the image that both take.
      region: what answers the signature `region`: "network", "search", or "none".
    Returns:
      dict that JSON can hold.
    Raises:
      InputError: the description cannot be written as JSON, or has one of those fields.
    """
    added = {
        "depth_kind": target.depth_kind,
        "depth_unit": {"metric": "m"}.get(target.depth_kind),
        "fidelity_unit": target.unit,
        "input_size": list(size),
        # What the model does to an image before its networks see it.
        "orientation": "image_bytes are turned upright as EXIF says; image must be upright",
        "aspect": "the largest centred window of the ratio of input_size; covered is its share",
        "normalisation": {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)},
        # What N sees where a pixel is removed.
        "removal": target.removal,
        "baseline": BASELINES[target.removal],
        "threshold": THRESHOLD,
        "region": region,
        "weights": {"hashed": HASHED, **{name: _weights(net) for name, net in nets.items()}},
        "versions": {
            "tfdepthviz": VERSION,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "exported": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    if twice := sorted(added.keys() & description.keys()):
        raise InputError(f"card: {', '.join(twice)} is filled in by the export itself")
    card = {"audit": {"grade": NOT_AUDITED}} | dict(description) | added
    as_json(card)
    return card


def validation_figures(result, *, data, images_in_set):
    """The figures of an evaluation, as a card holds them.

    Args:
      result: evaluation.Evaluation.
      data: name of the data set.
      images_in_set: number of images in its validation split, of which `result` rates some.
    Returns:
      dict that JSON can hold. rmse and mae in metres, fidelity_rmse in `fidelity_unit`.
    """
    rows = {row["row"]: without_nan(row) for row in result.rows}
    for row in rows.values():
        del row["row"]
    return {
        "data": data,
        "images": result.images,
        "images_in_set": images_in_set,
        "images_with_truth": result.images_with_truth,
        "threshold": result.threshold,
        "rows": rows,
        **without_nan(
            {"binarisation_gap": result.binarisation_gap, "mask_entropy": result.mask_entropy}
        ),
    }


def fidelity_at_shares(comparison):
    """Fidelity of a ranking and of controls at each share, as a card holds it.

    Args:
      comparison: of `evaluation.rate_shares`, with one G.
    Returns:
      list of dicts that JSON can hold, one for each share: `share`, `fidelity_rmse` with the pixels
      that G scores highest, and the same figure of each control under its name, in the unit of
      `alignment.unit`. A control of several draws is their mean.
    """
    (mask,) = comparison.mask_shares
    # The card has no intervals.
    summary = summarise(comparison, resamples=1)
    names = {method: "fidelity_rmse" if method == mask else method for method in summary["methods"]}
    return [
        {
            "share": share,
            **{name: figure_at(summary, m, share)["value"] for m, name in names.items()},
        }
        for share in comparison.shares
    ]


def as_json(card):
    """The card as the text of a file; InputError if JSON cannot hold it."""
    try:
        return json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise InputError(f"card must be a dict that JSON can hold ({error})") from error


def _weights(stored):
    return {
        "sha256": stored.sha256,
        "parameters": stored.parameters,
        "stored_as": stored.weights_dtype,
    }
