"""Rates a trained mask generator: what N makes of its pixels, and of equally many others.

    python -m trainers.evaluate --dataset=nyu --data_dir=/data/nyu --depth_weights=nyu \\
        --mask_weights=runs/mask/mask_net.keras --output_dir=runs/mask/evaluation

The 654 test images of NYU take the compact pair about 3 minutes on two busy cores (AMD EPYC, Zen 5;
2026-11-22): N runs seven times an image.

Writes table.csv, table.json, per_image.csv, strips of some frames as PNG, and report.html, into
--output_dir. Without --mask_weights it rates N alone. --help lists the flags.
"""

import shlex
import sys
from pathlib import Path

from tqdm import tqdm

from tfdepthviz import evaluation
from tfdepthviz.data import eigen_crop, pipeline
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import evaluation_report
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.strips import draw_strips
from tfdepthviz.training.teacher_cache import TeacherCache
from tfdepthviz.utils.constants import THRESHOLD
from trainers.cli import data as datasets
from trainers.cli import flags
from trainers.cli import target as targets
from trainers.engine.output_folder import check_output
from trainers.engine.strategy import prepare


def run(
    *,
    data=datasets.Data(),
    input_size=None,
    batch_size=8,
    target=targets.Target(),
    mask_net="compact",
    mask_weights=None,
    threshold=THRESHOLD,
    crop="none",
    strips=8,
    teacher_cache=None,
    output_dir=None,
):
    """Evaluates on the validation split and returns the `evaluation.Evaluation`."""
    check_output(output_dir, "tables, pictures and the report")
    prepare("float32", seed=0)
    explained = target.build(input_size).folded()
    n = explained.net
    input_size = n.input_shape[1:3]
    g = mask_weights and build_mask_net(mask_net, n.input_shape[1:], weights=mask_weights)
    source = datasets.Source(data)
    raw = source.load("validation")
    if crop == "eigen":
        raw = raw.map(eigen_crop.eigen_crop)
    # As in the paper, accuracy is measured at the image's resolution.
    batches = pipeline.evaluation_batches(
        raw, input_size=input_size, depth_size=input_size, batch_size=batch_size
    )
    if teacher_cache:
        batches = TeacherCache(n, teacher_cache).taught(batches)
    with source.named_files(), eigen_crop.refusals():
        result = evaluation.evaluate_masks(
            explained, g or None, batches, threshold=threshold, progress=progress_bar
        )
        frames = pipeline.spread(raw, strips, input_size=input_size, depth_size=input_size)
    folder = Path(output_dir)
    evaluation.write_table(result, folder)
    pictures = draw_strips(explained, g, frames["image"], threshold) if g else []
    for number, picture in enumerate(pictures):
        save_png(folder / f"strip_{number}.png", picture)
    evaluation_report.write_report(
        folder / "report.html",
        title=f"Masks for {target.depth_net} on {data.dataset}",
        table=result,
        strips=[(f"validation frame {i}", picture) for i, picture in enumerate(pictures)],
        curves=None,
        commands=[("This page", shlex.join(["python", "-m", "trainers.evaluate", *sys.argv[1:]]))],
    )
    print(evaluation.format_table(result), end="")
    print(f"wrote {folder / 'report.html'}", flush=True)
    return result


def progress_bar(batches):
    """tqdm over batches, on standard error."""
    return tqdm(batches, desc="evaluating", unit="batch", file=sys.stderr)


if __name__ == "__main__":
    flags.main(run, continues=False)
