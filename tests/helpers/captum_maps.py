"""Maps of N's needed pixels by captum, through a bridge to PyTorch; a program of its own.

    pip install captum
    python tests/helpers/captum_maps.py --data_dir=NYU --output=runs/maps

Like benchmarks/library_maps.py with xplique. captum takes PyTorch's tensors and gradients;
TorchScore gives it those that TensorFlow computes, for any N.
"""

import pathlib
import sys

import numpy as np
import torch
from absl import app, flags
from captum.attr import FeatureAblation, IntegratedGradients

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks")]
from library_works.maps import BATCH, write_maps  # noqa: E402

STEPS = flags.DEFINE_integer("steps", 20, "Steps of integrated gradients.", lower_bound=2)
# Rows and columns of the blocks that feature ablation removes one by one.
BLOCKS = (9, 12)


class TorchScore(torch.nn.Module):
    """A score as captum takes it.

    Args:
      score: object with `values(x)` -> (B,) and `gradient(x, weights)`; x is an array (B, H, W, 3).
    """

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, x):
        return _Bridge.apply(x, self.score)


class _Bridge(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, score):
        ctx.array, ctx.score = x.detach().numpy(), score
        return torch.from_numpy(score.values(ctx.array))

    @staticmethod
    def backward(ctx, weights):
        gradient = ctx.score.gradient(ctx.array, weights.detach().numpy())
        return torch.from_numpy(gradient), None


def integrated_gradients(score, image):
    attributed = IntegratedGradients(TorchScore(score)).attribute(
        torch.from_numpy(image), n_steps=STEPS.value, internal_batch_size=BATCH
    )
    return attributed.detach().numpy().sum(-1)


def feature_ablation(score, image):
    rows, columns = (np.arange(n) * b // n for n, b in zip(image.shape[1:3], BLOCKS, strict=True))
    blocks = (rows[:, None] * BLOCKS[1] + columns)[None, ..., None]
    attributed = FeatureAblation(TorchScore(score)).attribute(
        torch.from_numpy(image), feature_mask=torch.from_numpy(blocks), perturbations_per_eval=BATCH
    )
    return attributed.detach().numpy()[..., 0]


def main(_):
    methods = {
        "captum_integrated_gradients": integrated_gradients,
        "captum_feature_ablation": feature_ablation,
    }
    write_maps(methods, ("tensorflow", "keras", "torch", "captum"))


if __name__ == "__main__":
    app.run(main)
