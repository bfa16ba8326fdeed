"""Trains a mask generator G on a frozen depth network N.

    python -m trainers.train_mask --dataset=nyu --data_dir=/data/nyu --workdir=runs/mask

By default one G learns to rank the pixels for every share of them. --recipe=paper trains as
published (Algorithm 1), where lambda, --sparsity_weight, decides how many pixels are kept.

G needs no ground truth: --dataset=folder takes any folder of images. The run lies in --workdir:
mask_net.keras, history.csv, TensorBoard logs with strips of fixed validation frames, and
checkpoints, from which the same command continues.
"""

import dataclasses

from trainers.cli import recipes
from trainers.cli.flags import main
from trainers.cli.mask_training import MaskTraining
from trainers.engine import mask_run


@dataclasses.dataclass(frozen=True)
class Options:
    """Training of masks."""

    mask_training: MaskTraining = MaskTraining()


def run(options):
    """Trains G and returns the work folder."""
    return mask_run.train(recipes.completed(options.mask_training))


if __name__ == "__main__":
    main(run, Options)
