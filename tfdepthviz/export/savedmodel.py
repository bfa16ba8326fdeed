"""SavedModels of N and G in TensorFlow Serving's layout: raw images in, maps out.

The model resizes and normalises by itself, so its callers need neither this package nor Keras.
savedmodels/README.md describes the signatures to callers; signatures.py makes them.
"""

import dataclasses
import os
import pathlib

import tensorflow as tf

from tfdepthviz.export.card import as_json, full_card
from tfdepthviz.export.networks import store, store_ranking
from tfdepthviz.export.region_signature import of_network, of_search
from tfdepthviz.export.signatures import build_signatures
from tfdepthviz.export.warmup import write_warmup
from tfdepthviz.models.scores import scores_net
from tfdepthviz.models.target import as_target
from tfdepthviz.removal import check_removal
from tfdepthviz.utils.constants import WARMUP_FILE
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import partial_folder, write_whole, writing

CARD_FILE = "assets.extra/card.json"


def export_savedmodel(
    target,
    mask_net,
    base_path,
    *,
    card,
    version=None,
    weights_dtype="float32",
    warmup=True,
    region_net=None,
):
    """Writes N and G as one SavedModel, <base_path>/<version>/, whole or not at all.

    Its signatures are serving_default, image_bytes, mask, mask_bytes, mask_png, plain_mask,
    overlay, threshold, share, region and card; savedmodels/README.md describes them.
    `serving.local_model.LocalModel` runs it in Python.

        version = export_savedmodel(target, mask_net, "savedmodels/mine", card={"data": "photos"})
        answer = LocalModel(version).explain(open("photo.jpg", "rb").read())

    Args:
      target: N, a DepthTarget whose net takes images of one size; a keras.Model on its own, as
        `models.build_depth_net` gives it, counts as one in metres.
      mask_net: G, normalised image (B, H, W, 3) -> (B, H, W, 1) in [0, 1].
      base_path: folder of this model's versions; made if it is not there.
      card: dict that JSON can hold: N, G, data and lambda, and what was measured. `card.full_card`
        adds fields of its own; the result is assets.extra/card.json.
      version: int of at least 1 that does not exist yet; None takes the highest one plus 1.
      weights_dtype: the dtype of stored kernels, see `networks.store`.
      warmup: whether a server runs each signature once before it answers clients.
      region_net: network of `models.region_net` on `mask_net`, which answers the signature
        `region`; None: a search in the graph does.
    Returns:
      pathlib.Path of the version's folder.
    Raises:
      InputError: the networks do not fit each other, the card cannot be written as JSON, the
        version exists, or base_path is a file.
      WriteError: the folder cannot be made or written to.
    """
    base_path = pathlib.Path(base_path)
    free_version(base_path, version)
    model = traced(target, mask_net, card, weights_dtype, region_net)
    made = not base_path.exists()
    with writing(base_path):
        base_path.mkdir(parents=True, exist_ok=True)
    try:
        module = tf.Module()
        # Nothing but their variables: no Keras object, no optimiser.
        module.tracked = model.variables
        # TensorFlow Serving takes every folder with a whole number for a name, and only those.
        new = base_path / "version"
        with writing(base_path, tf.errors.OpError), partial_folder(new) as partial:
            tf.saved_model.save(module, os.fspath(partial), signatures=model.signatures)
            write_whole(partial / CARD_FILE, as_json(model.card))
            if warmup:
                name = base_path.resolve().name
                write_warmup(partial / WARMUP_FILE, name, model.size, model.signatures)
            # Asked again, because another export may have ended while this one saved.
            path = base_path / str(free_version(base_path, version))
            os.rename(partial, path)
    finally:
        if made and not any(base_path.iterdir()):
            base_path.rmdir()
    return path


@dataclasses.dataclass(frozen=True)
class Traced:
    """The signatures of N and G, before anything is written.

    Attributes:
      signatures: dict of name -> tf.function, see `build_signatures`.
      variables: list of the tf.Variables that they read.
      card: the whole card.
      size: (H, W) of the image that both networks take.
    """

    signatures: dict
    variables: list
    card: dict
    size: tuple


def traced(target, mask_net, card, weights_dtype="float32", region_net=None):
    """Makes the signatures of N and G; arguments and errors as of `export_savedmodel`.

    Returns:
      Traced.
    """
    target = as_target(target)
    check_removal(target.removal, in_graph=True)
    size = _common_size(target.net, mask_net)
    as_json(card)
    halves = {}
    n = store(target.net, size, weights_dtype)
    g, to_mask = store_ranking(mask_net, size, weights_dtype, halves)
    nets = {"depth_net": n, "mask_net": g}
    if region_net is not None:
        nets["region_net"] = store(scores_net(region_net), size, weights_dtype, halves)
        mask_for, region = of_network(nets["region_net"].call), "network"
    else:
        mask_for = of_search(dataclasses.replace(target, net=n), size)
        region = "search" if mask_for else "none"
    card = full_card(card, target, nets, size, region)
    signatures = build_signatures(
        dataclasses.replace(target, net=n.call),
        lambda image: to_mask(g(image)),
        size,
        card=card,
        scores_net=g,
        mask_for=mask_for,
    )
    # Networks may share variables.
    variables = {id(v): v for net in nets.values() for v in net.variables}
    return Traced(signatures, list(variables.values()), card, size)


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


def free_version(base_path, version):
    """The version to write: the requested one, or the highest existing one plus 1.

    Args:
      base_path: pathlib.Path, the folder of a model's versions; it need not exist.
      version: int of at least 1, or None.
    Returns:
      int.
    Raises:
      InputError: the version exists or is no such int, or base_path is a file.
    """
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
