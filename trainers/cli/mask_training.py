"""Mask training: the flags of every command that trains mask generators."""

import dataclasses

from tfdepthviz.models import MASK_NETS
from tfdepthviz.training.objective import OBJECTIVES
from tfdepthviz.training.relaxations import RELAXATIONS
from trainers.cli import flag_types, shared
from trainers.cli.data import Data
from trainers.cli.flags import flag
from trainers.cli.recipes import RECIPES
from trainers.cli.target import Target
from trainers.cli.training import Training


@dataclasses.dataclass(frozen=True)
class MaskTraining:
    """Mask generator G. Flags without a default take their values from --recipe."""

    data: Data = Data()
    training: Training = Training(epochs=None, learning_rate=None, learning_rate_decay=None)
    recipe: str = flag(
        "ranking",
        "ranking trains one G for every share of pixels; paper trains as published, with lambda. "
        "Other flags replace the recipe's values.",
        flag_types.enum(RECIPES),
    )
    mask_net: str | None = flag(None, "The mask generator G.", flag_types.enum(MASK_NETS))
    mask_weights: str | None = flag(
        None,
        "Weights to start G from: a .keras or .weights.h5 file, a published checkpoint, `random`, "
        "`default` (of the ranking that comes with compact_ranking), or `depth_net`, which starts "
        "compact_ranking or compact_edges from N. Default: compact_ranking starts from N where "
        "that is compact, and else from the ranking; other networks start at random.",
    )
    keep: str | None = flag(
        None,
        "Share of the pixels to keep, such as 0.36, or a range of shares, such as 0.02:0.9, for "
        "all of which one G is trained.",
        flag_types.keep,
    )
    small_shares: float | None = flag(
        None,
        "Of a range, small shares are drawn more often the larger this is; 1 draws the logarithm "
        "of the share evenly. Default: 1.5.",
        flag_types.zoom,
    )
    sparsity_weight: float | None = flag(
        None,
        "lambda: the price of a kept pixel, or of a deleted one with --objective=delete.",
        flag_types.rate,
    )
    sparsity_warmup: float | None = flag(
        None, "Epochs over which lambda rises from 0 to its value.", flag_types.rate
    )
    objective: str | None = flag(
        None,
        "preserve keeps N's depth with as few pixels as possible; delete removes as few pixels as "
        "possible to change N's depth most. Default: preserve.",
        flag_types.enum(OBJECTIVES),
    )
    loss: tuple | None = shared.loss(None)
    relaxation: str | None = flag(
        None,
        "Mask that N sees during training by the published objective: none is the mask itself; "
        "concrete and stochastic are drawn from the mask. Default: none.",
        flag_types.enum(RELAXATIONS),
    )
    add_samples: bool = shared.add_samples()
    input_size: tuple | None = shared.input_size()
    validation_frames: int | None = flag(
        None,
        "Validation frames to measure on after each epoch at most, evenly spread. A ranking is "
        "measured at five shares, so each costs five passes of N.",
        flag_types.positive_integer,
    )
    strips: int = shared.strips(4)
    teacher_cache: str | None = shared.teacher_cache()
    evaluator: str | None = flag(
        None,
        "evaluator.keras of train_evaluator, which sees the masked images instead of N. G then "
        "learns which pixels carry the depth where missing ones are known to be missing.",
    )
    target: Target = Target()
