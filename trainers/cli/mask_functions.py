"""Mask functions: the masks to compare, of networks and of saved searches, by name."""

import dataclasses

import numpy as np

from tfdepthviz.evaluation.ranking import compiled, ranking
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import comparison_figures
from tfdepthviz.utils import arrays
from tfdepthviz.utils.errors import InputError
from trainers.cli import trained_masks


@dataclasses.dataclass(frozen=True)
class MaskFunctions:
    """Masks to compare, by name; functions of (image, first), as `comparison.compare` takes them.

    Attributes:
      masks: masks with their grey levels.
      rankings: scores that order the pixels of those masks that have them.
      trained: name -> (name of G in MASK_NETS, file of weights), without saved masks.
    """

    masks: dict
    rankings: dict
    trained: dict


def mask_functions(options, input_shape, places):
    """Masks that --mask_weights and --saved_masks name.

    Args:
      options: with mask_weights, mask_nets, saved_masks and mask_names.
      input_shape: (H, W, 3), the image that N sees.
      places: numbers of the compared frames in their data set.
    Returns:
      MaskFunctions.
    Raises:
      InputError: names the flag that is wrong.
    """
    files = trained_masks.listed(options.mask_weights)
    archives = trained_masks.listed(options.saved_masks)
    names = options.mask_names or [trained_masks.name_of(file) for file in files + archives]
    nets = options.mask_nets * len(files) if len(options.mask_nets) == 1 else options.mask_nets
    for flag, values, count in (
        ("mask_nets", nets, len(files)),
        ("mask_names", names, len(files + archives)),
    ):
        if len(values) != count:
            raise InputError(f"--{flag}: expected {count}, one a mask. Received: {len(values)}")
    taken = {"image", *comparison_figures.NAMES}
    names_control = any(n in taken or n.startswith("untrained_") for n in names)
    if len(set(names)) < len(names) or names_control or any("/" in n for n in names):
        raise InputError(
            f"--mask_names: expected a name of its own for each mask, none of a control and "
            f"without a slash. Received: {', '.join(names)}"
        )
    generators = {
        name: build_mask_net(net, input_shape, weights=file)
        for name, net, file in zip(names, nets, files, strict=False)
    }
    functions = {name: compiled(net) for name, net in generators.items()}
    for name, file in zip(names[len(files) :], archives, strict=True):
        functions[name] = _saved(file, input_shape[:2], places)
    return MaskFunctions(
        functions,
        {name: ranking(net) for name, net in generators.items()},
        dict(zip(generators, zip(nets, files, strict=True), strict=True)),
    )


def _saved(path, size, places):
    """Function of (image, first) that returns masks of an archive with `frame` and `mask`."""
    try:
        archive = arrays.read_arrays(path, ["frame", "mask"])
        frame, mask = archive["frame"], archive["mask"]
    except arrays.UNREADABLE as error:
        raise InputError(
            f"--saved_masks: expected an .npz file with the arrays frame and mask. "
            f"Received: {path} ({error})"
        ) from error
    missing = [place for place in places if place not in frame]
    if missing or mask.shape[1:] != (*size, 1):
        raise InputError(
            f"--saved_masks: expected masks of {size[0]}x{size[1]} for frames "
            f"{places[0]}, ..., {places[-1]}. Received: {path}, masks {mask.shape}, without frame "
            f"{missing[0] if missing else 'of this size'}"
        )
    rows = [int(np.flatnonzero(frame == place)[0]) for place in places]
    return lambda image, first: mask[rows[first : first + len(image)]].astype("float32")
