"""N's depth in random regions, and what it stands on: searched pixels against as many others.

    python benchmarks/regions.py --frames=24                       the embedded frames
    python benchmarks/regions.py --frames=24 --data_dir=/data/nyu  test frames of NYU (CSV layout)
    python benchmarks/regions.py --region_weights=runs/region/region_net.keras

The last rates a region network instead of the search; --region_weights=ranking rates the ranking of
the whole image that such a network begins as.

Asks one question of each frame about a disc at a random place. Prints for each share the distance
from N(I) in the region when N sees only the pixels of a mask (kept) and all but them (deleted), and
the paired difference of the searched mask to each control with its 95 % bootstrap interval.
"""

import time

import numpy as np
from absl import app, flags
from common import record

from tfdepthviz.data import nyu, pipeline, samples
from tfdepthviz.metrics import curves
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.models.region_net import region_net
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.training import explain_regions, regions
from tfdepthviz.training.region_explanation import CONTROLS
from tfdepthviz.utils.tables import text_table
from trainers.cli import region_networks

VIEWS = ("kept", "deleted")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of NYU; without it, embedded frames.")
FRAMES = flags.DEFINE_integer("frames", 24, "Frames, evenly spread.", lower_bound=2)
KEEP = flags.DEFINE_list("keep", ["0.05", "0.2"], "Shares of the pixels.")
RADIUS = flags.DEFINE_float("radius", 12.0, "Of the discs, pixels of the image that N sees.")
REGION_WEIGHTS = flags.DEFINE_string(
    "region_weights", None, "region_net.keras of train_region, or `ranking`. Default: search."
)
SEED = flags.DEFINE_integer("seed", 0, "Of the places of the discs.")
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/regions.json", "Where to write the JSON.")


def main(_):
    keep = [float(share) for share in KEEP.value]
    target = DepthTarget(build_depth_net("compact", weights="default")).folded()
    size = target.input_size
    files = (
        nyu.files(DATA_DIR.value, "validation") if DATA_DIR.value else samples.files("validation")
    )
    images = pipeline.spread(files.examples(), FRAMES.value, input_size=size, depth_size=size)[
        "image"
    ]
    rng = np.random.default_rng(SEED.value)
    places = [
        regions.point(size, rng.integers(size[1]), rng.integers(size[0]), RADIUS.value)
        for _ in images
    ]
    started = time.monotonic()
    answers = explain_regions(target, images, places, keep, region_net=_network(size))
    seconds = (time.monotonic() - started) / len(answers)
    blank = float(curves.set_rmse([answer.blank_rmse**2 for answer in answers]))
    print(
        f"{len(answers)} frames, {seconds:.1f} s each, {blank:.3f} m from N(I) with nothing shown"
    )
    for share in keep:
        print(text_table(*compared(answers, share), style="markdown"))
    rows = [{"frame": i, **row} for i, answer in enumerate(answers) for row in answer.rows]
    figures = {"seconds": seconds, "blank_rmse": blank, "rows": rows}
    record.write(OUTPUT.value, figures, ["tensorflow", "keras"])


def _network(size):
    """The region network of the flags; None without one."""
    if REGION_WEIGHTS.value == "ranking":
        return region_net(build_mask_net(weights="default"))
    return region_networks.opened(REGION_WEIGHTS.value, size)


def compared(answers, share):
    """Headings and rows of the table of one share."""
    answer = answers[0].mask_name
    counts = curves.bootstrap_counts(len(answers))
    counts = np.concatenate([np.ones((1, len(answers)), "int64"), counts])
    rmse = {
        (name, view): curves.set_rmse(
            [answer.row(name, share)[f"{view}_rmse"] ** 2 for answer in answers], counts
        )
        for name in (answer, *CONTROLS)
        for view in VIEWS
    }
    rows = []
    for name in (answer, *CONTROLS):
        texts = [name]
        for view in VIEWS:
            texts.append(f"{rmse[name, view][0]:.3f}")
            value, *sampled = rmse[answer, view] - rmse[name, view]
            low, high = curves.interval(np.array(sampled))
            texts.append("" if name == answer else f"{value:+.3f} [{low:+.3f}, {high:+.3f}]")
        mine = [answer.row(name, share) for answer in answers]
        ious = [row["iou"] for row in mine if row["iou"] is not None]
        texts.append(f"{np.mean([row['outside'] for row in mine]):.2f}")
        texts.append(f"{np.mean(ious):.2f}" if ious else "")
        rows.append(texts)
    headings = [f"{share:.0%} of the pixels", "kept, m", f"{answer} minus it"]
    return [*headings, "deleted, m", f"{answer} minus it", "outside", "IoU"], rows


if __name__ == "__main__":
    app.run(main)
