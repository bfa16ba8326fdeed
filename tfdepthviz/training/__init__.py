"""Training of mask networks and depth networks, and searches for single masks.

objective        equations (3), (4) and (5): Objective
mask_trainer     Algorithm 1, trains a mask network G: MaskTrainer
ranking_trainer  trains one G for every share of pixels: RankingTrainer
depth_trainer    trains a depth network N: DepthTrainer
evaluator_trainer  trains an N to work with missing pixels: EvaluatorTrainer
base             the Keras model that both trainers extend
mask_optimizer   equation (3), masks of single images: MaskOptimizer
search           settings and result of such a search: Search, SearchResult
regions          places of a picture: points, boxes, polygons, depth ranges, labels
region_search    equation (3) for the depth in one region: RegionSearch
region_explanation  what N's depth in a region stands on: explain_region
mask_rating      figures of masks, disagreement of restarts
relaxations      differentiable stand-ins for a binary mask
shares           shares of pixels that a ranking is trained for
calibration      the output bias at which M' keeps a requested share
optimizers       optimisers by name: build_optimizer
callbacks        SparsityWarmup, CollapseWarning
teacher_cache    N(I) of validation images, computed once
finiteness       parts of a step that are NaN or infinite
"""

from tfdepthviz.training.callbacks import CollapseWarning, SparsityWarmup
from tfdepthviz.training.depth_trainer import DepthTrainer
from tfdepthviz.training.evaluator_trainer import EvaluatorTrainer
from tfdepthviz.training.mask_optimizer import MaskOptimizer
from tfdepthviz.training.mask_trainer import MaskTrainer
from tfdepthviz.training.objective import Objective
from tfdepthviz.training.optimizers import build_optimizer
from tfdepthviz.training.ranking_trainer import RankingTrainer
from tfdepthviz.training.region_explanation import (
    RegionExplanation,
    explain_region,
    explain_regions,
)
from tfdepthviz.training.region_search import RegionSearch
from tfdepthviz.training.search import Search, SearchResult

__all__ = [
    "CollapseWarning",
    "DepthTrainer",
    "EvaluatorTrainer",
    "MaskOptimizer",
    "MaskTrainer",
    "Objective",
    "RankingTrainer",
    "RegionExplanation",
    "RegionSearch",
    "Search",
    "SearchResult",
    "SparsityWarmup",
    "build_optimizer",
    "explain_region",
    "explain_regions",
]
