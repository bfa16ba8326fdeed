"""Training: the flags of every command that trains a network."""

import dataclasses

from tfdepthviz.training.optimizers import OPTIMIZERS
from trainers.cli import flag_types, shared
from trainers.cli.flags import flag
from trainers.engine.strategy import STRATEGIES


@dataclasses.dataclass(frozen=True)
class Training:
    """Training."""

    workdir: str | None = flag(
        None, "Folder of the run: its options, checkpoints, logs and results."
    )
    epochs: int = flag(
        10,
        "Epochs to train in all, those of an interrupted run included.",
        flag_types.positive_integer,
    )
    learning_rate: float = flag(1e-4, "Learning rate at the start.", flag_types.rate)
    learning_rate_decay: str = flag(
        "none", "cosine lowers the rate to 0 at the end.", flag_types.enum(("none", "cosine"))
    )
    batch_size: int = shared.batch_size()
    optimizer: str = flag(
        "adamw",
        "adam_l2 is the reference's Adam with coupled weight decay.",
        flag_types.enum(OPTIMIZERS),
    )
    weight_decay: float = flag(1e-4, "Weight decay.", flag_types.rate)
    seed: int = shared.seed()
    precision: str = flag(
        "float32",
        "Type of the networks' arithmetic.",
        flag_types.enum(("float32", "mixed_bfloat16")),
    )
    strategy: str = flag(
        "auto",
        "auto mirrors over all GPUs if there are several; multi_worker trains on the machines that "
        "TF_CONFIG describes (docs/many_machines.md).",
        flag_types.enum(STRATEGIES),
    )
    checkpoint_steps: int = flag(
        200,
        "Save after so many steps of an epoch, and at the end of each epoch.",
        flag_types.positive_integer,
    )
    skip_nonfinite_steps: bool = flag(
        False,
        "Skip steps whose loss or gradient is not finite, instead of stopping.",
        flag_types.switch,
    )
