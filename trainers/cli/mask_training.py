"""Mask training: the flags of every command that trains mask generators."""

import dataclasses

from tfdepthviz.training.objective import Objective
from tfdepthviz.training.relaxations import RELAXATIONS
from tfdepthviz.utils.constants import EDGE_SOFTNESS
from trainers.cli import flag_types, shared
from trainers.cli.data import Data
from trainers.cli.flags import flag
from trainers.cli.target import Target
from trainers.cli.training import Training


@dataclasses.dataclass(frozen=True)
class MaskTraining:
    """Mask generator G."""

    data: Data = Data()
    training: Training = Training()
    mask_net: str = shared.mask_net()
    mask_weights: str | None = flag(
        None,
        "Weights to start G from: a .keras or .weights.h5 file, or a published checkpoint; "
        "`depth_net` starts compact_edges from N.",
    )
    sparsity_weight: float = flag(
        Objective.sparsity_weight,
        "lambda: the price of a kept pixel, or of a deleted one with --objective=delete. With a "
        "target share, lambda starts here and is adapted.",
        flag_types.rate,
    )
    sparsity_warmup: float = flag(
        0.0, "Epochs over which lambda rises from 0 to its value.", flag_types.rate
    )
    objective: str = shared.objective()
    loss: tuple = shared.loss(Objective.terms)
    relaxation: str | None = flag(
        None,
        "Mask that N sees during training: none is the mask itself, as published; concrete and "
        "stochastic are drawn from the mask; top_share is its highest target share with a soft "
        "edge. Default: top_share with a target share, none without.",
        flag_types.enum(RELAXATIONS),
    )
    edge_softness: float = flag(
        EDGE_SOFTNESS,
        "Width of the soft edge of --relaxation=top_share, in standard deviations of the logits.",
        flag_types.rate,
    )
    input_size: tuple | None = shared.input_size()
    strips: int = shared.strips(4)
    teacher_cache: str | None = shared.teacher_cache()
    target: Target = Target()
