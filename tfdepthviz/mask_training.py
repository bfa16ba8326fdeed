"""Hands on the trainer of mask networks, which lives in `tfdepthviz.training`."""

from tfdepthviz.training import MaskTrainer, SparsityWarmup  # noqa: F401
