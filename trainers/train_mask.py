"""Trains a mask generator G on a frozen depth network N.

    python -m trainers.train_mask --dataset=nyu --data_dir=/data/nyu --workdir=runs/mask

By default one G learns to rank the pixels for every share of them. --recipe=paper trains as
published (Algorithm 1), where lambda, --sparsity_weight, decides how many pixels are kept.

G needs no ground truth: --dataset=folder takes any folder of images. The run lies in --workdir:
mask_net.keras, report.html with pictures of validation frames, history.csv, TensorBoard logs, and
checkpoints, from which the same command continues.
"""

import dataclasses

from tfdepthviz.data import pipeline
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import training_page
from tfdepthviz.reports.ranking_frames import draw_frames
from tfdepthviz.reports.strips import draw_strip, frame_maps
from tfdepthviz.training.ranking_trainer import RATED_SHARES, share_name
from trainers.cli import recipes
from trainers.cli.ending import conclude, same_networks
from trainers.cli.flags import main
from trainers.cli.mask_training import MaskTraining
from trainers.cli.program import command, tool
from trainers.engine import mask_run

# Shares that the last line names, and those that the pictures show.
NAMED, DRAWN = (0.2, 0.36), RATED_SHARES[:4]


@dataclasses.dataclass(frozen=True)
class Options:
    """Training of masks."""

    mask_training: MaskTraining = MaskTraining()


def run(options):
    """Trains G and returns the work folder."""
    return mask_run.train(recipes.completed(options.mask_training), finished=_conclude)


def _conclude(options, run, target, mask_net):
    """Writes report.html, and prints what came out and what comes next."""
    folder, frames = run.workdir, run.raw["validation"]
    sizes = {"input_size": target.input_size, "depth_size": target.net.output_shape[1:3]}
    image = pipeline.spread(frames, options.strips, **sizes)["image"]
    if options.keep is None:
        pictures = _strips(target, mask_net, image)
    else:
        pictures = draw_frames(target, mask_net, image, DRAWN)
    rated = min(len(frames), options.validation_frames or len(frames))
    result = _in_words(training_page.last_epoch(folder), options, target.depth_kind, rated)
    commands = _next(options, folder)
    page = training_page.write_page(
        folder,
        title=f"Training of {options.mask_net} for {options.target.depth_net}",
        result=result,
        frames=pictures,
        commands=commands,
    )
    conclude(result, pictures=page, commands=commands)


def _strips(target, mask_net, image):
    """A strip of each frame. `predict_on_batch` would wait for the other machines of a cluster."""
    mask = mask_net(image, training=False)
    maps = frame_maps(target, image, mask, predict=lambda shown: target.net(shown, training=False))
    frames = zip(*maps, strict=True)
    return [draw_strip(*frame, columns=3, unit=target.unit) for frame in frames]


def _in_words(logged, options, depth_kind, images):
    """The fidelity after the last epoch, in words."""
    unit, where = alignment.unit(depth_kind), f"(validation images: {images})"
    if options.keep is None:
        return (
            f"M' keeps {logged['val_mask/sparseness']:.1%} of the pixels. N(I * M), with the "
            f"grey levels of M, is {logged['val_fidelity/rmse']:.3f} {unit} from N(I) {where}."
        )
    at_shares = " and ".join(
        f"{logged[f'val_{share_name(share)}']:.3f} {unit} from N(I) with {share:.0%}"
        for share in NAMED
    )
    return f"N(I * M') is {at_shares} of the pixels {where}."


def _next(options, folder):
    """(purpose, command line) of what to do after a training."""
    weights = f"--mask_weights={folder / 'mask_net.keras'}"
    group = [weights, f"--mask_net={options.mask_net}", *same_networks(options)]
    photos = options.data.data_dir if options.data.dataset == "folder" else "photos"
    return [
        (
            "compare M' with as many edge pixels and random pixels",
            command("evaluate", *group, f"--output_dir={folder / 'evaluation'}"),
        ),
        (
            "explain photographs with this G",
            command("explain", photos, weights, f"--output_dir={folder / 'explained'}"),
        ),
        (
            "see the masks change over the training",
            tool("tensorboard", f"--logdir={folder / 'logs'}"),
        ),
    ]


if __name__ == "__main__":
    main(run, Options)
