"""Depth networks N and mask networks G by name: DEPTH_NETS and MASK_NETS.

All map a normalised RGB image (B, H, W, 3) to one channel (B, h, w, 1): N to depth in metres at the
network's own resolution, G to a mask in [0, 1] at the image's resolution.
"""

import numbers
from functools import partial
from pathlib import Path

from tfdepthviz.models.compact import compact_depth_net, compact_mask_net
from tfdepthviz.models.densenet import densenet161
from tfdepthviz.models.edge_mask_net import compact_edges, compact_ranking
from tfdepthviz.models.encoder_decoder import encoder_decoder
from tfdepthviz.models.fcrn import fcrn_resnet50
from tfdepthviz.models.mask_net import mask_net
from tfdepthviz.models.porting.weight_files import load_weights
from tfdepthviz.models.resnet import resnet50
from tfdepthviz.models.senet import senet154
from tfdepthviz.utils.constants import INPUT_SIZE
from tfdepthviz.utils.errors import InputError

DEPTH_NETS = {
    "hu_resnet50": partial(encoder_decoder, encoder=resnet50, name="hu_resnet50"),
    "hu_densenet161": partial(encoder_decoder, encoder=densenet161, name="hu_densenet161"),
    "hu_senet154": partial(encoder_decoder, encoder=senet154, name="hu_senet154"),
    "fcrn_resnet50": fcrn_resnet50,
    "compact": compact_depth_net,
}
MASK_NETS = {
    "drn_d_22": mask_net,
    "compact": compact_mask_net,
    "compact_edges": compact_edges,
    "compact_ranking": compact_ranking,
}
# Weights that come with the package, by network and the word for `weights`; weights/README.md
# says how they were trained. "nyu" is the N of version 0.1.0, which its masks explain.
WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED_WEIGHTS = {
    ("compact", "default"): WEIGHTS / "compact.weights.h5",
    ("compact", "nyu"): WEIGHTS / "compact_nyu.weights.h5",
    ("compact_ranking", "default"): WEIGHTS / "compact_ranking.weights.h5",
}
DEFAULT_MASK_NET = "compact_ranking"


def build_depth_net(name, input_shape=(*INPUT_SIZE, 3), weights=None):
    """Builds a depth network N.

    Args:
      name: one of DEPTH_NETS.
      input_shape: (H, W, 3); H and W need not be multiples of 32.
      weights: path of a `.weights.h5` or `.keras` file or of a published checkpoint, see
        `porting.weight_files.load_weights`; "default" for the weights that come with "compact";
        None for random ones.
    Returns:
      keras.Model, normalised image (B, H, W, 3) -> depth (B, h, w, 1) in metres.
    Raises:
      InputError: unknown name, impossible shape, or weights that are missing or do not fit.
    """
    return _build(DEPTH_NETS, "depth network", name, input_shape, weights)


def build_mask_net(name=None, input_shape=(*INPUT_SIZE, 3), weights=None):
    """Builds a mask network G.

        mask_net = build_mask_net(weights="default")  # explains build_depth_net("compact", ...)

    Args:
      name: one of MASK_NETS; None: drn_d_22, or the network that weights "default" are for.
      input_shape: (H, W, 3); H and W need not be multiples of 8.
      weights: path of a `.weights.h5` or `.keras` file or of a published checkpoint; "default" for
        the ranking that comes with the package, for N `compact` with weights "default"; None for
        random ones.
    Returns:
      keras.Model, normalised image (B, H, W, 3) -> mask (B, H, W, 1) in [0, 1].
    Raises:
      InputError: unknown name, impossible shape, or weights that are missing or do not fit.
    """
    if name is None:
        name = DEFAULT_MASK_NET if weights == "default" else "drn_d_22"
    return _build(MASK_NETS, "mask network", name, input_shape, weights)


def _build(registry, kind, name, input_shape, weights):
    if name not in registry:
        raise InputError(f"{kind} must be one of {', '.join(registry)}. Received: {name!r}")
    shape = tuple(input_shape)
    whole = all(isinstance(n, numbers.Integral) and n > 0 for n in shape)
    if len(shape) != 3 or shape[-1] != 3 or not whole:
        raise InputError(
            f"input_shape of {kind} {name} must be (height, width, 3). Received: {input_shape}"
        )
    model = registry[name](tuple(int(n) for n in shape))
    if weights is not None:
        embedded = EMBEDDED_WEIGHTS.get((name, str(weights)))
        if weights == "default" and embedded is None:
            having = ", ".join(sorted({n for n, word in EMBEDDED_WEIGHTS if word == "default"}))
            raise InputError(
                f"weights of {name}: 'default' comes with {having} alone. Received: 'default'"
            )
        load_weights(model, embedded or weights)
    return model
