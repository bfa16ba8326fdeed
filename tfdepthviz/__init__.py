"""Which pixels does a depth network look at? Mask generators for monocular depth estimation."""

from tfdepthviz.errors import InputError
from tfdepthviz.models import build_depth_net, build_mask_net

__version__ = "0.1.0"
__all__ = ["InputError", "build_depth_net", "build_mask_net"]
