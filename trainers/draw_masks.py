"""Draws the masks of several mask generators side by side (Figures 6 to 8).

    python -m trainers.draw_masks --dataset=folder --data_dir=photos \\
        --mask_weights=runs/hu/mask_net.keras,runs/fcrn/mask_net.keras \\
        --mask_names="Hu et al.,Laina et al." --output_dir=runs/figure6

A mask is drawn by G alone: the depth networks that the masks explain are not needed, and each G may
have been trained for another one. Writes masks.png (a row for each image: the image, its Sobel
edges, the mask of each G), every picture as a PNG of its own, and masks.csv and masks.json with the
share of pixels that each mask keeps, into --output_dir. --dataset=folder draws from all images of
the folder, other data sets from their validation split.
"""

import dataclasses
import re
import textwrap
from pathlib import Path

import numpy as np

from tfdepthviz import masks, metrics
from tfdepthviz.data import pipeline, transforms
from tfdepthviz.evaluation.ranking import compiled
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import colours, grids
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.utils.constants import INPUT_SIZE
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import without_nan, write_csv, write_json
from trainers.cli import flag_types, shared, trained_masks
from trainers.cli.data import Data
from trainers.cli.ending import conclude
from trainers.cli.explained_net import input_size_of, mask_net_of
from trainers.cli.flags import flag, main
from trainers.cli.program import command
from trainers.engine.options import changed
from trainers.engine.output_folder import check_results, mark_output
from trainers.engine.progress import bar
from trainers.engine.source import Source
from trainers.engine.strategy import prepare

COLUMNS = ("frame", "mask", "sparseness", "mean")
TITLE_LETTERS = 30


@dataclasses.dataclass(frozen=True)
class Options:
    """Masks and pictures."""

    mask_weights: str | None = flag(
        None,
        "Weights of the mask generators, separated by commas: .keras or .weights.h5 files, or "
        "published checkpoints.",
    )
    mask_nets: tuple = shared.mask_nets()
    mask_names: tuple = shared.mask_names()
    output_dir: str | None = shared.output_dir()
    frames: int = flag(
        6, "Number of images to draw, evenly spread over the data set.", flag_types.positive_integer
    )
    threshold: float = shared.threshold()
    split: str | None = shared.split()
    input_size: tuple = shared.input_size()
    data: Data = Data()


def run(options):
    """Draws the masks and returns the figures of masks.csv, a dict for each image and mask."""
    check_results(options.output_dir, "pictures and tables")
    files = trained_masks.listed(options.mask_weights)
    if not files:
        raise InputError("--mask_weights: needs the files of one or more mask generators")
    names = list(options.mask_names) or [trained_masks.name_of(file) for file in files]
    names = _one_each("mask_names", names, files)
    nets = list(options.mask_nets or map(mask_net_of, files))
    size = input_size_of(files, options.input_size)
    options = dataclasses.replace(options, input_size=size or INPUT_SIZE)
    nets = _one_each("mask_nets", nets * len(files) if len(nets) == 1 else nets, files)
    prepare("float32", seed=0)
    image, masks_of_nets = _drawn(options, nets, files)
    rgb = np.clip(transforms.denormalise(image).numpy(), 0, 1)
    edges = _visible(np.asarray(masks.edge_strength(rgb)))
    columns = [("image", np.round(255 * rgb).astype("uint8"))]
    columns += [
        (name, [colours.grey(one) for one in batch])
        for name, batch in zip(["Sobel edges", *names], [edges, *masks_of_nets], strict=True)
    ]
    rows = [
        {
            "frame": frame,
            "mask": name,
            "sparseness": float(metrics.sparseness(mask[frame][None], options.threshold)[0]),
            "mean": float(mask[frame].mean()),
        }
        for frame in range(len(rgb))
        for name, mask in zip(names, masks_of_nets, strict=True)
    ]
    folder = Path(options.output_dir)
    mark_output(folder)
    _write(folder, columns, rows, options.threshold)
    shares = [np.mean([r["sparseness"] for r in rows if r["mask"] == name]) for name in names]
    text = "\n".join(
        f"{name}: M' keeps {share:.1%} of the pixels (images: {len(rgb)})"
        for name, share in zip(names, shares, strict=True)
    )
    comparison = command(
        "compare_masks",
        f"--mask_weights={options.mask_weights}",
        f"--mask_nets={','.join(nets)}",
        *changed(options.data),
        "--output_dir=runs/compared",
    )
    commands = [("compare them with controls at equal shares, for one N", comparison)]
    conclude(text, pictures=folder / "masks.png", commands=commands)
    return rows


def _drawn(options, nets, files):
    """A batch of images, and the masks of each network for them."""
    source = Source(options.data)
    # No image of a folder was held out from whatever trained the masks.
    raw = source.load(options.split or options.data.usual_split)
    size = options.input_size
    generators = [
        build_mask_net(net, (*size, 3), weights=file) for net, file in zip(nets, files, strict=True)
    ]
    with source.named_files():
        frames = pipeline.spread(raw, options.frames, input_size=size, depth_size=size)
    image = frames["image"]
    shown = bar(generators, desc="drawing", unit="mask")
    return image, [compiled(mask_net)(image).numpy() for mask_net in shown]


def _one_each(name, values, files):
    if len(values) != len(files):
        raise InputError(
            f"--{name}={','.join(values)}: expected one for each of the {len(files)} files of "
            f"--mask_weights, received {len(values)}"
        )
    return list(values)


def _visible(edges):
    """Edges as grey levels; the strongest hundredth of each image's edges is white."""
    strongest = np.percentile(edges, 99, axis=(1, 2, 3), keepdims=True)
    return np.clip(edges / np.maximum(strongest, 1e-6), 0, 1)


def _write(folder, columns, rows, threshold):
    frames = range(len(columns[0][1]))
    pictures = [[column[frame] for _, column in columns] for frame in frames]
    titles = [textwrap.fill(name, TITLE_LETTERS) for name, _ in columns]
    for frame in frames:
        for column, (name, _) in enumerate(columns):
            slug = re.sub(r"\W+", "_", name).strip("_")
            path = folder / f"frame{frame}_{column}_{slug}.png"
            save_png(path, pictures[frame][column])
    rows = [without_nan(row) for row in rows]
    write_csv(folder / "masks.csv", COLUMNS, rows)
    write_json(folder / "masks.json", {"threshold": threshold, "rows": rows})
    save_png(folder / "masks.png", grids.grid(pictures, titles))


if __name__ == "__main__":
    main(run, Options, continues=False)
