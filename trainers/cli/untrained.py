"""Untrained mask generators: G as it was before a run trained it, rebuilt as a control."""

import dataclasses

import keras
import numpy as np

from tfdepthviz.models import build_mask_net
from tfdepthviz.models.edge_mask_net import start_from_depth_net
from tfdepthviz.utils.errors import InputError
from trainers.cli import trained_masks

# Start of a network whose run is not known; the others start from random weights.
USUAL = {"compact_edges": "depth_net", "compact_ranking": "depth_net"}


@dataclasses.dataclass(frozen=True)
class Start:
    """Start of a run.

    Attributes:
      mask_net: name of G in MASK_NETS.
      weights: "random", "depth_net", or what --mask_weights of the run named.
      seed: of the run.
    """

    mask_net: str
    weights: str
    seed: int = 0


def start_of(mask_net, file):
    """The Start of the run that wrote a file of weights, as its config.json says, or the usual one.

    Args:
      mask_net: name of G in MASK_NETS.
      file: of --mask_weights.
    """
    try:
        trained = trained_masks.options_of(file)
    except InputError as error:
        print(f"untrained G: {error}; taking the usual start", flush=True)
        trained = {}
    if trained.get("mask_net") != mask_net:
        return Start(mask_net, USUAL.get(mask_net, "random"))
    return Start(mask_net, trained.get("mask_weights") or "random", trained.get("seed") or 0)


def untrained_net(start, flags, target):
    """G at its start; if its weights cannot be had, at the usual start.

    Args:
      start: Start.
      flags: trainers.cli.target.Target.
      target: N as these flags build it, not folded.
    Returns:
      keras.Model.
    """
    try:
        return _built(start, flags, target)
    except InputError as error:
        usual = Start(start.mask_net, USUAL.get(start.mask_net, "random"), start.seed)
        print(f"untrained G: {error}; taking the usual start, {usual.weights}", flush=True)
        if usual != start:
            return untrained_net(usual, flags, target)
        return _built(Start(start.mask_net, "random", start.seed), flags, target)


def untrained_nets(nets, flags, target):
    """Untrained mask generators of several trained ones, as controls by name.

    One start is called "untrained". Starts of one network that differ in their random weights
    alone are draws of it, "untrained/0" and so on. Otherwise each kind of start is called
    "untrained_NAME", after the first mask that began there.

    Args:
      nets: dict of name of a mask -> (name of G in MASK_NETS, file of weights).
      flags, target: as for `untrained_net`.
    Returns:
      dict of name -> keras.Model.
    """
    kinds = {}
    for mask, (mask_net, file) in nets.items():
        start = start_of(mask_net, file)
        _, draws = kinds.setdefault((start.mask_net, start.weights), (mask, []))
        net = untrained_net(start, flags, target)
        if not any(_same(net, other) for other in draws):
            draws.append(net)
    controls = {}
    for mask, draws in kinds.values():
        name = "untrained" if len(kinds) == 1 else f"untrained_{mask}"
        for number, net in enumerate(draws):
            controls[name if len(draws) == 1 else f"{name}/{number}"] = net
    return controls


def _built(start, flags, target):
    shape = (*target.input_size, 3)
    if start.weights not in ("random", "depth_net"):
        return build_mask_net(start.mask_net, shape, weights=start.weights)
    # As in the run, N first: both draw their weights from one stream of random numbers.
    keras.utils.set_random_seed(start.seed)
    flags.build(target.input_size)
    net = build_mask_net(start.mask_net, shape)
    if start.weights == "depth_net":
        start_from_depth_net(net, target.net)
    return net


def _same(net, other):
    pairs = zip(net.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)
