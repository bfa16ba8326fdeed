"""Equation (3): a mask for each image by optimising it through N, beside masks of G (Figure 3).

    python -m trainers.optimize_mask --dataset=nyu --data_dir=/data/nyu --depth_weights=nyu \\
        --frames=4 --target_sparseness=0.36 --output_dir=runs/optimized

A step of one image takes 0.06 s where a core is free and 0.2 s where others work beside it (compact
N, 228x304; two cores of an AMD EPYC, Zen 5; 2026-11-22): 60 steps from each of two starts some 7 to
25 s an image.

Writes figure_3.png (a row for each image: the image, its mask by (3), and the mask of each G of
--mask_weights), each mask as a 16-bit PNG, strips, masks.npz (logits, masks, all restarts),
masks.csv and masks.json (losses, sparseness, fidelity, disagreement of the restarts, steps), and
report.html with controls of the same sparseness, into --output_dir. The same command continues
where it was interrupted. --dataset=folder takes all images of the folder, other data sets their
validation split. --help lists the flags.
"""

import functools
import json
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfdepthviz import evaluation
from tfdepthviz.data import pipeline
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import optimization_report
from tfdepthviz.reports.optimization_report import SEARCHED
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.strips import draw_strip, frame_maps
from tfdepthviz.training import MaskOptimizer, Objective, Search
from tfdepthviz.training.mask_rating import disagreement, rate
from tfdepthviz.utils.arrays import write_arrays
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError
from trainers.cli import data as datasets
from trainers.cli import flags, mask_files
from trainers.cli import target as targets
from trainers.engine.batch_store import BatchStore
from trainers.engine.output_folder import check_output
from trainers.engine.strategy import prepare

# Flags that do not change what is searched for.
DRAWN_ONLY = ("output_dir", "mask_net", "mask_weights", "strips")


def run(
    *,
    data=datasets.Data(),
    input_size=None,
    batch_size=4,
    target=targets.Target(),
    frames=8,
    objective="preserve",
    loss=("depth", "gradient", "normal"),
    sparsity_weight=5.0,
    target_sparseness=None,
    steps=60,
    patience=20,
    restarts=2,
    learning_rate=0.1,
    logit_stride=1,
    seed=0,
    threshold=THRESHOLD,
    mask_net="compact",
    mask_weights=None,
    strips=8,
    output_dir=None,
):
    """Optimises masks and returns the rows of masks.csv; the arguments are the command's flags."""
    options = flags.flat(locals())
    check_output(output_dir, "masks, pictures and tables")
    folder = Path(output_dir)
    goal = Objective(objective, tuple(loss), sparsity_weight, target_sparseness)
    search = Search(steps, learning_rate, patience, restarts, logit_stride, seed)
    prepare("float32", seed)
    explained = target.build(input_size).folded()
    size = explained.input_size
    generators = _generators(mask_weights, mask_net, size)
    source = datasets.Source(data)
    # A search has seen no image before: of a folder nothing needs to be held out.
    raw = source.load(None if data.dataset == "folder" else "validation")
    about = {name: value for name, value in options.items() if name not in DRAWN_ONLY}
    kept = BatchStore(folder, about, "masks")
    chosen, places = pipeline.evenly(raw, frames)
    batches = pipeline.evaluation_batches(
        chosen, input_size=size, depth_size=size, batch_size=batch_size
    )
    with source.named_files():
        optimizer = MaskOptimizer(explained, goal, search)
        found = _search_all(kept, batches, places, optimizer, threshold)
        rows, pictures = _rate_all(batches, found, explained, generators, goal, threshold, strips)
        table = evaluation.evaluate_masks(
            explained,
            None,
            _with_masks(batches, found["mask"]),
            threshold=threshold,
        )
    summary = optimization_report.summarise(rows)
    unit = explained.unit
    write_arrays(folder / "masks.npz", found)
    optimization_report.write_tables(folder, about, rows, summary, table)
    for frame, mask in zip(found["frame"], found["mask"], strict=True):
        optimization_report.save_mask(folder / f"mask_{frame:04d}.png", mask)
    for frame, (_, _, strip) in zip(found["frame"], pictures, strict=False):
        save_png(folder / f"strip_{frame:04d}.png", strip)
    figure = optimization_report.figure_3([picture[:2] for picture in pictures], rows, unit)
    save_png(folder / "figure_3.png", figure)
    optimization_report.write_page(
        folder / "report.html",
        title=f"Masks by equation (3) for {target.depth_net} on {data.dataset}",
        table=table,
        summary=summary,
        objective=objective,
        figure=figure,
        strips=[(f"frame {f}", p[2]) for f, p in zip(found["frame"], pictures, strict=False)],
        command=shlex.join(["python", "-m", "trainers.optimize_mask", *sys.argv[1:]]),
    )
    print(evaluation.format_table(table), end="")
    print(optimization_report.in_words(summary[SEARCHED], table.images, unit))
    print(f"wrote {folder / 'report.html'}", flush=True)
    return rows


def _generators(mask_weights, mask_net, size):
    """Column title -> G, for each of the files."""
    generators = {}
    for file in mask_files.listed(mask_weights):
        net = build_mask_net(mask_net, (*size, 3), weights=file)
        name = f"{_equation(Path(file).parent)} {mask_files.name_of(file)}".strip()
        if name in generators:
            raise InputError(f"--mask_weights: two masks are called {name!r}; rename one")
        generators[name] = net
    return generators


def _equation(workdir):
    """The equation that a run of train_mask minimised, "" if nobody knows."""
    try:
        config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
        # Before there was a choice, it was (4).
        return "(5)" if config["options"].get("objective") == "delete" else "(4)"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _search_all(kept, batches, places, optimizer, threshold):
    """Arrays of all images, first axis N; batches that are already there are read."""
    parts = []
    of_a_frame = optimizer.search.restarts * optimizer.search.steps
    total, done = len(places) * of_a_frame, 0
    with tqdm(total=total, desc="optimising", unit="step", file=sys.stderr) as bar:

        def read(arrays):
            bar.update(len(arrays["frame"]) * of_a_frame)

        for number, batch in enumerate(batches):
            image, first = batch["image"], done
            done += len(image)
            frames = np.array(places[first:done])

            def search(image=image, first=first, frames=frames):
                return {**_searched(optimizer, image, first, threshold, bar), "frame": frames}

            parts.append(kept(number, search, read))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _searched(optimizer, image, first, threshold, bar):
    """Arrays of one batch, first axis B."""
    started = time.monotonic()
    found = optimizer(image, first=first, step=bar.update)
    seconds = (time.monotonic() - started) / len(image)
    return {
        "logits": found.best_of(found.logits),
        "mask": found.best_of(found.masks),
        "restarts": np.round(255 * found.masks.swapaxes(0, 1)).astype("uint8"),
        "restart_losses": found.loss.T,
        "restart_steps": found.steps.T,
        "seconds": np.full(len(image), seconds),
        **disagreement(found, threshold),
    }


def _with_masks(batches, mask):
    done = 0
    for batch in batches:
        count = len(batch["image"])
        yield {**batch, "mask": tf.constant(mask[done : done + count])}
        done += count


def _rate_all(batches, found, explained, generators, goal, threshold, strips):
    """Rows of masks.csv, and (rgb, {column: mask}, strip) of the first `strips` frames."""
    predict = functools.partial(explained.net, training=False)
    rows, pictures = [], []
    for batch in _with_masks(batches, found["mask"]):
        image, first = batch["image"], len(rows) // (1 + len(generators))
        shown = {SEARCHED: batch["mask"]}
        shown |= {name: g(image, training=False) for name, g in generators.items()}
        rated = {
            name: rate(explained, image, mask, goal, threshold=threshold)
            for name, mask in shown.items()
        }
        maps = frame_maps(explained, image, shown[SEARCHED], predict=predict)
        for i, frame in enumerate(zip(*maps, strict=True)):
            own = _own_figures(found, first + i)
            for name, values in rated.items():
                row = {"frame": int(found["frame"][first + i]), "mask": name}
                row |= {k: float(v[i]) for k, v in values.items()}
                rows.append(row | (own if name == SEARCHED else dict.fromkeys(own)))
            if len(pictures) < strips:
                strip = draw_strip(*frame, threshold=threshold, columns=3, unit=explained.unit)
                grey = {name: mask[i].numpy() for name, mask in shown.items()}
                pictures.append((frame[0], grey, strip))
    return rows, pictures


def _own_figures(found, image):
    """Figures of the search of one image."""
    best = found["restart_losses"][image].argmin()
    return {
        "steps": int(found["restart_steps"][image, best]),
        "loss_spread": float(found["restart_losses"][image].std()),
        **{k: float(found[k][image]) for k in ("seconds", "mean_spread", "iou", "iou_by_chance")},
    }


if __name__ == "__main__":
    flags.main(run)
