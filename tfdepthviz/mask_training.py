"""Hands on the trainer of mask generators, which lives in `tfdepthviz.training`."""

from tfdepthviz.training.mask_trainer import MaskTrainer, SparsityWarmup  # noqa: F401
