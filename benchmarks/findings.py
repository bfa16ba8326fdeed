"""The paper's findings, tested on any N and G: figures with intervals, pictures and a verdict each.

    python benchmarks/findings.py --dataset=nyu --data_dir=NYU --output_dir=runs/findings
    python benchmarks/findings.py --dataset=kitti --data_dir=KITTI --vanishing_point=0.43,0.48 \\
        --mask_weights=runs/kitti/mask_net.keras --output_dir=runs/findings_kitti

"Edges are chosen by use, not by strength", "filled regions for small objects", "vanishing points
outdoors" (Hu et al. 2019). docs/findings.md says what is measured, and what came out. Writes
findings.csv and PNG files.
"""

import dataclasses
from pathlib import Path

import numpy as np
from findings_works import drawing, pixels, tests

from tfdepthviz.data import pipeline
from tfdepthviz.evaluation.audit import Subject
from tfdepthviz.evaluation.ranking import ranking
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import audit_figures
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.utils.arrays import evenly
from tfdepthviz.utils.constants import SHARE
from tfdepthviz.utils.tables import write_csv
from trainers.cli import flag_types, shared
from trainers.cli.data import Data
from trainers.cli.explained_net import completed, mask_net_of
from trainers.cli.flags import flag, main
from trainers.cli.target import Target
from trainers.cli.untrained import start_of, untrained_net
from trainers.engine.progress import bar
from trainers.engine.source import Source
from trainers.engine.strategy import prepare

FRAMES = 4
NAMES = ("G", "G before training", "edges blurred 5x5")


@dataclasses.dataclass(frozen=True)
class Options:
    """Findings."""

    mask_weights: str = flag("default", "Weights of G, or `default`, those of the package.")
    mask_net: str | None = shared.mask_net()
    output_dir: str = shared.output_dir("runs/findings")
    max_images: int = flag(100, "Images, evenly spread over the set.", flag_types.positive_integer)
    share: float = flag(SHARE, "Share of the pixels that masks keep.", flag_types.share)
    vanishing_point: tuple | None = flag(
        None,
        "Row and column of the vanishing point as fractions of what N sees; the same in all "
        "images. Without it the third finding is left out.",
        flag_types.numbers(0.0, 1.0, "0.43,0.48"),
    )
    split: str = shared.split("validation")
    input_size: tuple | None = shared.input_size()
    batch_size: int = shared.batch_size()
    data: Data = Data()
    target: Target = Target(depth_net=None)


def run(options):
    """Tests the findings; returns finding -> (figures, verdict)."""
    options = completed(options, [options.mask_weights])
    mask_net = mask_net_of(options.mask_weights, options.mask_net)
    prepare("float32", 0)
    unfolded = options.target.build(options.input_size)
    target, source = unfolded.folded(), Source(options.data)
    raw, _ = pipeline.evenly(source.load(options.split), options.max_images)
    size = {"input_size": target.input_size, "depth_size": target.input_size}
    batches = pipeline.evaluation_batches(raw, **size, batch_size=options.batch_size)
    with source.named_files(), bar(desc="measuring", unit="image") as shown:
        shape = target.net.input_shape[1:]
        start = start_of(mask_net, options.mask_weights)
        subject = Subject(
            target,
            ranking(build_mask_net(mask_net, shape, weights=options.mask_weights)),
            np.concatenate([batch["image"].numpy() for batch in batches]),
            share=options.share,
            untrained=ranking(untrained_net(start, options.target, unfolded)),
            batch_size=options.batch_size,
            progress=shown.update,
        )
        scores = tests.rankings(subject)
        results = {
            "edges by use": tests.edges_by_use(subject, scores),
            "by distance": tests.by_distance(subject, scores),
            "filled regions": tests.filled_regions(subject, scores),
        }
        if point := options.vanishing_point:
            results["vanishing point"] = tests.vanishing_point(subject, scores, point)
    folder = Path(options.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"finding": finding, "figure": name, **number, "verdict": verdict}
        for finding, (figures, verdict, _) in results.items()
        for name, number in figures.items()
    ]
    write_csv(folder / "findings.csv", list(rows[0]), rows)
    draw(folder, subject, scores, results, options.vanishing_point)
    print(f"{len(subject.images)} images")
    for finding, (_, verdict, words) in results.items():
        if verdict:
            print(f"{finding}: {verdict}; {words}")
    print(f"pictures: {folder}")
    return results


def draw(folder, subject, scores, results, point):
    """Writes the PNG files."""
    figures = {finding: result[0] for finding, result in results.items()}
    distances = {
        k.partition("/")[2]: f
        for k, f in figures["edges by use"].items()
        if k.startswith("distance/")
    }
    label = f"distance from N(I) with 10 % of the pixels, all of them edges, {subject.unit}"
    pictures = {"use": audit_figures.bars(distances, label, own="by G")}
    pictures["distance"] = drawing.lines(
        figures["by distance"],
        {f"{name} minus edges": name for name in NAMES},
        range(1, pixels.DISTANCES + 1),
        "tenths of the pixels by N(I), near to far",
        "mean rank minus that of edges",
    )
    pictures["size"] = drawing.lines(
        figures["filled regions"],
        {name: name for name in NAMES},
        [f"to {100 * end:g} %" for end in pixels.SIZES[1:]],
        "size of the segment, share of the image",
        f"kept of its inside at {subject.share:.0%} of the image",
    )
    if point:
        names = {name: name for name in scores}
        pictures["vanishing"] = drawing.lines(
            figures["vanishing point"],
            names,
            [f"to {radius:g}" for radius in pixels.RINGS],
            "distance from the vanishing point, widths of the image",
            "share that is kept",
        )
        pictures["mean_masks"] = drawing.mean_masks(subject, scores, point)
    places = evenly(len(subject.images), FRAMES)
    pictures["frames"] = drawing.frames(subject, scores, places, point)
    for name, picture in pictures.items():
        save_png(folder / f"{name}.png", picture)


if __name__ == "__main__":
    main(run, Options)
