"""Which pixels does a depth network look at? Mask generators for monocular depth estimation."""

from tfdepthviz.errors import InputError

__version__ = "0.1.0"
__all__ = ["InputError", "build_depth_net", "build_mask_net"]


def __getattr__(name):
    # Keras takes seconds to load, and who asks a server for masks need not have it.
    if name in ("build_depth_net", "build_mask_net"):
        from tfdepthviz import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
