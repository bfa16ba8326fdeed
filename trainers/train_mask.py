"""Trains a mask generator G on a frozen depth network N (Algorithm 1 of the paper).

    python -m trainers.train_mask --dataset=nyu --data_dir=/data/nyu --depth_net=compact \\
        --depth_weights=nyu --mask_net=compact --target_sparseness=0.4 \\
        --learning_rate=1e-3 --learning_rate_decay=cosine --epochs=4 --workdir=runs/mask

An epoch of the compact pair on the 795 training images of NYU's labelled set and its 654 test
images took 2 minutes on two busy cores (AMD EPYC, Zen 5; 2026-11-22).

G needs no ground truth: --dataset=folder takes any folder of images. The run lies in --workdir:
mask_net.keras, history.csv, TensorBoard logs with strips of fixed validation frames, and
checkpoints, from which the same command continues.
"""

import dataclasses

from tfdepthviz.utils.constants import THRESHOLD
from trainers.cli import flag_types
from trainers.cli.flags import flag, main
from trainers.cli.mask_training import MaskTraining
from trainers.engine import mask_run


@dataclasses.dataclass(frozen=True)
class Options:
    """Share of the pixels."""

    target_sparseness: float | None = flag(
        None,
        f"Share of the pixels to keep, M > {THRESHOLD}: training adapts lambda, from "
        "--sparsity_weight on, until the masks keep this share. Default: lambda stays.",
        flag_types.share,
    )
    mask_training: MaskTraining = MaskTraining()


def run(options):
    """Trains G and returns the work folder."""
    return mask_run.train(options.mask_training, options.target_sparseness)


if __name__ == "__main__":
    main(run, Options)
