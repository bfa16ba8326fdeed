"""Training: the objectives, the trainers of G and N, and the search for single masks."""

from tfdepthviz.training.callbacks import CollapseWarning
from tfdepthviz.training.depth_trainer import DepthTrainer
from tfdepthviz.training.mask_trainer import MaskTrainer, SparsityWarmup
from tfdepthviz.training.optimizers import build_optimizer

__all__ = ["CollapseWarning", "DepthTrainer", "MaskTrainer", "SparsityWarmup", "build_optimizer"]
