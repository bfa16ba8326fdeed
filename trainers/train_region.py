"""Trains a region network: it answers in one pass what explain_region searches.

    python -m trainers.train_region --dataset=nyu --data_dir=/data/nyu --workdir=runs/region

It ranks pixels by what N needs of them for its depth at a place. Its lower part is a ranking of the
whole image, --mask_weights, which stays as it is; the rest learns on random discs, boxes and depth
ranges of N's depth maps. It needs no ground truth: --dataset=folder takes any folder of images. The
run lies in --workdir: report.html, region_net.keras, history.csv, TensorBoard logs, and
checkpoints, from which the same command continues. docs/regions.md compares such a network with the
search.
"""

import dataclasses

from tfdepthviz.data import pipeline
from tfdepthviz.data.transforms import denormalise
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.region_net import region_net
from tfdepthviz.reports import colours, region_report, training_page
from tfdepthviz.reports.tensorboard import ScalarSummaries
from tfdepthviz.training import explain_regions, regions
from tfdepthviz.training.ranking_trainer import share_name
from tfdepthviz.training.region_trainer import RegionTrainer
from tfdepthviz.training.shares import bounds
from trainers.cli import flag_types, shared
from trainers.cli.data import Data
from trainers.cli.ending import conclude
from trainers.cli.explained_net import completed
from trainers.cli.flags import flag, main
from trainers.cli.program import command, tool
from trainers.cli.target import Target
from trainers.cli.training import Training
from trainers.engine import cluster
from trainers.engine.card import run_card
from trainers.engine.fit import fit, keep_model
from trainers.engine.options import flat
from trainers.engine.run import open_run
from trainers.engine.run_record import recorded

# Shares that the last line names, and the page shows.
NAMED = (0.05, 0.2)
# Validation frames on the page.
FRAMES = 3


@dataclasses.dataclass(frozen=True)
class Options:
    """Region network."""

    data: Data = Data()
    training: Training = Training(epochs=2, learning_rate=3e-3, learning_rate_decay="cosine")
    mask_weights: str = flag(
        "default",
        "Weights of the ranking to build on, a compact_ranking: a file, `default` or `random`.",
    )
    keep: str = flag(
        "0.02:0.5",
        "Share of the pixels to keep, such as 0.05, or a range of shares, such as 0.02:0.5.",
        flag_types.keep,
    )
    validation_frames: int = flag(
        64, "Validation frames to measure on at most, evenly spread.", flag_types.positive_integer
    )
    add_samples: bool = shared.add_samples()
    input_size: tuple | None = shared.input_size()
    target: Target = Target(depth_net=None)


@cluster.watched()
def run(options):
    """Trains the region network and returns the work folder."""
    weights = None if options.mask_weights == "random" else options.mask_weights
    options = completed(options, [weights])
    opened = open_run(
        "train_region", flat(options), options.data, options.training, options.add_samples
    )
    with opened.scope.scope():
        target = options.target.build(options.input_size, in_graph=True)
        ranking = build_mask_net("compact_ranking", (*target.input_size, 3), weights=weights)
        net = region_net(ranking)
        trainer = RegionTrainer(
            target.folded(),
            net,
            bounds(options.keep),
            steps=opened.steps,
            seed=options.training.seed,
        )
        opened.compile(trainer)
    sizes = {"input_size": target.input_size, "depth_size": target.output_size}
    card = run_card("train_region", options, opened, net)
    reports = [card, ScalarSummaries(str(opened.workdir / "logs"))]
    with opened.source.named_files():
        plan = opened.plan(
            trainer,
            net,
            sizes,
            validation=opened.validation(sizes, options.validation_frames),
            reports=reports,
            state={"share_means": trainer.share_means.value},
        )
        fit(plan)
    record = recorded(flat(options), left_out=flat(options.data))
    keep_model(net, opened.workdir / "region_net.keras", opened.workers, record)
    if opened.workers.is_chief:
        _conclude(opened, target, net, sizes)
    return opened.workdir


def _conclude(opened, target, net, sizes):
    """Writes report.html, and prints what came out and what comes next."""
    logged = training_page.last_epoch(opened.workdir)
    at_shares = " and ".join(
        f"{logged[f'val_{share_name(share)}']:.3f} {target.unit} with {100 * share:g} % of the "
        "pixels"
        for share in NAMED
    )
    result = f"N is {at_shares} from its depth in random places of validation images."
    file = opened.workdir / "region_net.keras"
    asked = command("explain_region", "photo.jpg", "--point=120,80", f"--region_net={file}")
    logs = tool("tensorboard", f"--logdir={opened.workdir / 'logs'}")
    commands = [
        ("ask about a place of a photograph", asked),
        ("see the logged values over the training", logs),
    ]
    page = training_page.write_page(
        opened.workdir,
        title="Training of a region network",
        result=result,
        frames=_drawn(opened.raw["validation"], target, net, sizes),
        commands=commands,
    )
    conclude(result, pictures=page, commands=commands)


def _drawn(frames, target, net, sizes):
    """Pictures of the answers about the middle of a few validation frames."""
    images = pipeline.spread(frames, FRAMES, **sizes)["image"]
    height, width = target.input_size
    middle = regions.point((height, width), width / 2, height / 2, height / 10)
    answers = explain_regions(target, images, [middle] * len(images), NAMED, region_net=net)
    return [
        region_report.draw_answer(colours.rgb(denormalise(image)), answer, target.depth_kind)
        for image, answer in zip(images, answers, strict=True)
    ]


if __name__ == "__main__":
    main(run, Options)
