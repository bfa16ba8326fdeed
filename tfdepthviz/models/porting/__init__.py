"""Porting: weight files that others published, read without PyTorch into the networks here.

`weight_files` is the door: any file into any network. Behind it, `checkpoints` reads a file into
arrays, `name_rules` knows their names, and `published` puts them into a network.
"""

from tfdepthviz.models.porting.checkpoints import (
    read_tf_checkpoint,
    read_torch_checkpoint,
    tf_prefix,
)
from tfdepthviz.models.porting.name_rules import left_aside
from tfdepthviz.models.porting.published import DoesNotFit, port_encoder, port_weights

__all__ = [
    "DoesNotFit",
    "left_aside",
    "port_encoder",
    "port_weights",
    "read_tf_checkpoint",
    "read_torch_checkpoint",
    "tf_prefix",
]
