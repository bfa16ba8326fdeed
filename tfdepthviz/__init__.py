"""Mask generators for monocular depth estimation: they show which pixels a depth network uses."""

import importlib

from tfdepthviz.utils.constants import VERSION as __version__
from tfdepthviz.utils.errors import InputError, WriteError

# Name -> module that it comes from. Keras takes seconds to load, and a client that asks a server
# for masks need not have it.
_HOMES = {
    "MaskTrainer": "tfdepthviz.training",
    "build_depth_net": "tfdepthviz.models",
    "build_mask_net": "tfdepthviz.models",
    "build_optimizer": "tfdepthviz.training",
    "depth_target": "tfdepthviz.models.target",
    "evaluate_masks": "tfdepthviz.evaluation",
    "export_savedmodel": "tfdepthviz.export",
}
__all__ = ["InputError", "WriteError", "__version__", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
