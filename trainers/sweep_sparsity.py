"""Makes Table 1 and Figure 4, over shares of the pixels or over lambda.

    python -m trainers.sweep_sparsity --dataset=nyu --data_dir=/data/nyu \\
        --shares=0.05,0.1,0.2,0.36,0.5,0.6 --workdir=runs/shares
    python -m trainers.sweep_sparsity --dataset=nyu --data_dir=/data/nyu \\
        --sparsity_weights=1,2,3,4,5,6 --mask_net=compact --epochs=4 --workdir=runs/sweep

--shares trains one ranking, or takes that of --ranking, and rates it and the controls at each
share. --sparsity_weights trains one G for each lambda as published (--recipe=paper). The other
flags are those of train_mask. Each G lies in a folder of its own, as train_mask makes it; the same
command continues where it was interrupted and repeats nothing that is done.

Writes into --workdir: table1.txt, .md, .csv and .json; figure4_curves.png and figure4_frameN.png;
report.html. Over lambda, the published values stand next to ours, and hparams/ is for
`tensorboard --logdir`. Over shares, figure5_edges.png compares with edges, per_image.csv has every
figure of every image, and summary.json has intervals.
"""

import dataclasses
import functools
import sys

from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import comparison_files
from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.evaluation.ranking import compiled
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import hparams, ranking_report, sweep_figures, sweep_report
from tfdepthviz.reports.ranking_frames import draw_frames
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.strips import frame_maps
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types, recipes, shared
from trainers.cli.ending import conclude, same_networks
from trainers.cli.explained_net import completed, mask_net_of
from trainers.cli.flags import command_line, flag, main
from trainers.cli.mask_training import MaskTraining
from trainers.cli.program import command
from trainers.cli.progress import progress_bar
from trainers.cli.rated_ranking import RANKING, rated_ranking
from trainers.cli.target import Target
from trainers.cli.untrained import start_of, untrained_net
from trainers.engine import cluster, mask_run
from trainers.engine.options import flat, replaced
from trainers.engine.rating import stored_table
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.teacher import with_teacher
from trainers.engine.training_frames import mean_map_of
from trainers.engine.workdir import open_workdir

COMMAND = "sweep_sparsity"
# Flag of a list of values -> the recipe of the trainings.
RECIPES = {"shares": "ranking", "sparsity_weights": "paper"}
# Options that TensorBoard shows next to lambda.
SHOWN_OPTIONS = ("depth_net", "mask_net", "dataset", "epochs", "learning_rate", "optimizer", "seed")


@dataclasses.dataclass(frozen=True)
class Options:
    """Values to sweep over."""

    shares: tuple | None = flag(
        None,
        "The shares of the pixels at which to rate one ranking.",
        flag_types.numbers(*flag_types.SHARES, "0.05,0.1,0.2,0.36,0.5,0.6"),
    )
    ranking: str | None = flag(
        None, "With --shares: weights of a ranking that is trained already, of train_mask."
    )
    sparsity_weights: tuple | None = flag(
        None,
        "The values of lambda, one G for each.",
        flag_types.numbers(0.0, sys.float_info.max, "1,2,3,4,5,6"),
    )
    threshold: float = shared.threshold()
    mask_training: MaskTraining = MaskTraining(recipe=None, target=Target(depth_net=None))


def run(options):
    """Trains and rates what is not done yet and returns the `sweeps.Sweep`."""
    if options.mask_training.training.strategy == cluster.MULTI_WORKER:
        raise InputError(
            f"--strategy={cluster.MULTI_WORKER}: sweep_sparsity runs on one machine; run "
            "train_mask once for each value"
        )
    name, values = _swept(options)
    training = options.mask_training
    files = [options.ranking] if options.ranking else []
    training = completed(training, files)
    if options.ranking:
        mask_net = mask_net_of(options.ranking, training.mask_net)
        training = replaced(training, mask_net=mask_net)
    training = _completed(training, name, RECIPES[name])
    config = {"threshold": options.threshold, **flat(training)}
    folder = open_workdir(training.training.workdir, COMMAND, config, may_extend=False)
    if name == "shares":
        return _sweep_shares(folder, training, sorted(values), options.ranking)
    return _sweep_lambda(folder, training, values, options.threshold)


def _swept(options):
    """Name and values of the list that the user gave."""
    lists = {name: getattr(options, name) for name in RECIPES}
    chosen = {name: values for name, values in lists.items() if values}
    if len(chosen) != 1:
        raise InputError(
            "--shares, --sparsity_weights: expected exactly one of the two lists, such as "
            f"--shares=0.05,0.1,0.2,0.36,0.5,0.6; received {'both' if chosen else 'none'}"
        )
    ((name, values),) = chosen.items()
    texts = [f"{value:g}" for value in values]
    if len(set(texts)) < len(texts):
        raise InputError(f"--{name}={','.join(texts)}: names a value twice")
    if name == "sparsity_weights" and options.ranking:
        raise InputError(f"--ranking={options.ranking}: belongs to --shares, not to {name}")
    return name, values


def _completed(training, name, recipe):
    """Options of the training, with the values of the recipe that the list of values implies."""
    if training.recipe not in (None, recipe):
        raise InputError(f"--recipe={training.recipe}: --{name} implies --recipe={recipe}")
    if name == "sparsity_weights" and training.sparsity_weight is not None:
        raise InputError(
            f"--sparsity_weight={training.sparsity_weight}: --sparsity_weights gives every lambda"
        )
    return recipes.completed(replaced(training, recipe=recipe))


def _sweep_lambda(folder, training, values, threshold):
    """One G for each lambda: trains and rates them, and writes all files."""
    folders = {value: folder / f"lambda_{value:g}" for value in values}
    for number, (value, its_folder) in enumerate(folders.items(), start=1):
        print(f"{number}/{len(values)}  lambda {value:g}", flush=True)
        _train(its_folder, replaced(training, sparsity_weight=value))
    sweep, pictures = _rate(folders, training, threshold)
    notes = _notes(sweep, training)
    sweeps.write_sweep(sweep, folder, notes)
    shown = {name: flat(training)[name] for name in SHOWN_OPTIONS}
    hparams.write_hparams(folder, sweep, shown, list(folders.values()))
    curves = sweep_figures.curves(sweep)
    save_png(folder / "figure4_curves.png", curves)
    for number, picture in enumerate(pictures):
        save_png(folder / f"figure4_frame{number}.png", picture)
    report = folder / "report.html"
    sweep_report.write_report(report, sweep, notes, curves, pictures, command_line(COMMAND))
    print(sweeps.format_sweep(sweep))
    files = ",".join(str(its_folder / "mask_net.keras") for its_folder in folders.values())
    conclude("\n".join(notes), pictures=report, commands=_next(training, files))
    return sweep


def _sweep_shares(folder, training, shares, file):
    """One ranking for all shares: trains it unless a file holds it, rates it, writes all files."""
    if file is None:
        file = str(folder / "ranking" / "mask_net.keras")
        _train(folder / "ranking", training)
    rated = rated_ranking(folder, training, file, shares)
    summary, sweep = rated.summary, sweeps.gather_shares(rated.summary, RANKING)
    notes = [*_notes(sweep, training), *rated.notes]
    sweeps.write_sweep(sweep, folder, notes)
    comparison_files.write_per_image(rated.comparison, folder / "per_image.csv")
    comparison_files.write_summary(summary, folder)
    curves = sweep_figures.curves(sweep)
    edges = sweep_figures.against_edges(summary, RANKING)
    frames = draw_frames(rated.target.folded(), rated.mask_net, rated.frames["image"], shares)
    numbered = {f"figure4_frame{number}": picture for number, picture in enumerate(frames)}
    pictures = {"figure4_curves": curves, "figure5_edges": edges, **numbered}
    for name, picture in pictures.items():
        save_png(folder / f"{name}.png", picture)
    captioned = [(f"validation frame {i + 1}", picture) for i, picture in enumerate(frames)]
    verdicts = [ranking_report.verdict(summary, RANKING, share) for share in shares]
    ranking_report.write_report(
        folder / "report.html",
        title="How many pixels does the depth network need?",
        summary=summary,
        ranking=RANKING,
        opening=captioned[0],
        verdicts=verdicts,
        pictures=[
            ("Figure 4: M' and all controls, with the paper's points", curves),
            ("Figure 5: M' against edges", edges),
        ],
        commands=[("This page", command_line(COMMAND))],
        frames=captioned[1:],
        notes=notes,
    )
    print(sweeps.format_sweep(sweep))
    text = "\n".join([*notes, *verdicts])
    conclude(text, pictures=folder / "report.html", commands=_next(training, file))
    return sweep


def _next(training, files):
    """(purpose, command line) of what to do after a sweep."""
    weights = [f"--mask_weights={files}", f"--mask_nets={training.mask_net}"]
    compared = f"--output_dir={training.training.workdir}/compared"
    return [
        (
            "compare with gradients and with masks searched for each image, too",
            command("compare_masks", *weights, *same_networks(training), compared),
        )
    ]


def _train(folder, training):
    """A run of train_mask, unless it has finished in this folder with these options."""
    training = replaced(training, workdir=str(folder))
    open_workdir(folder, mask_run.COMMAND, flat(training), may_extend=False)
    if (folder / "mask_net.keras").exists():
        print(f"{folder / 'mask_net.keras'} is there", flush=True)
    else:
        # The sweep over lambda writes its own table for HPARAMS.
        mask_run.train(training, hparams=training.recipe == "ranking")


def _notes(sweep, training):
    """Sentences below the tables."""
    return sweep_report.notes(
        sweep,
        depth_net=training.target.depth_net,
        depth_weights=training.target.weights,
        mask_net=training.mask_net,
        dataset=training.data.dataset,
    )


def _rate(folders, training, threshold):
    """The sweep over lambda, and a picture of each of some validation frames."""
    prepare("float32", seed=0)
    unfolded = training.target.build(training.input_size, in_graph=True)
    target = unfolded.folded()
    depth_net, size = target.net, target.input_size
    source = Source(training.data)
    raw = source.load("validation")
    # As in the paper, accuracy is measured at the image's resolution.
    sizes = {"input_size": size, "depth_size": size}
    batch_size = training.training.batch_size
    batches = pipeline.evaluation_batches(raw, **sizes, batch_size=batch_size)
    # N(I) is the same for every G.
    batches = with_teacher(batches, depth_net, training.teacher_cache)
    mean_map = functools.cache(lambda: mean_map_of(source, target, batch_size)[0])

    def controls(start):
        untrained = untrained_net(start, training.target, unfolded)
        return {"untrained": untrained, "mean_map": mean_map()}

    tables, maps = {}, []
    with source.named_files():
        image = pipeline.spread(raw, training.strips, **sizes)["image"]
        y_full = depth_net.predict_on_batch(image)
        for value, folder in folders.items():
            mask_net = build_mask_net(
                training.mask_net,
                depth_net.input_shape[1:],
                weights=folder / "mask_net.keras",
            )
            start = start_of(training.mask_net, str(folder / "mask_net.keras"))
            tables[value] = stored_table(
                *(folder, target, mask_net, batches, threshold, progress_bar),
                functools.partial(controls, start),
            )
            mask = compiled(mask_net)(image).numpy()
            maps.append(frame_maps(target, image, mask, y_full=y_full))
    sweep = sweeps.gather(tables)
    # The image and N(I) are the same for every G.
    (rgb, *_), (_, masks, depths, masked_depths) = maps[0], zip(*maps, strict=True)
    pictures = [
        sweep_figures.frame(
            sweep,
            rgb[i],
            [mask[i] for mask in masks],
            depths[0][i],
            [masked_depth[i] for masked_depth in masked_depths],
        )
        for i in range(len(rgb))
    ]
    return sweep, pictures


if __name__ == "__main__":
    main(run, Options)
