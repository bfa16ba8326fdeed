"""Porting: weight files that others published, read without PyTorch into the networks here."""

from tfdepthviz.models.porting.published import (
    DoesNotFit,
    left_aside,
    port_encoder,
    port_weights,
    read_tf_checkpoint,
    read_torch_checkpoint,
    tf_prefix,
)

__all__ = [
    "DoesNotFit",
    "left_aside",
    "port_encoder",
    "port_weights",
    "read_tf_checkpoint",
    "read_torch_checkpoint",
    "tf_prefix",
]
