"""Draws the masks of any trained mask generators for any images, side by side (Figures 6 to 8).

    python -m trainers.draw_masks --dataset=folder --data_dir=photos \\
        --mask_weights=runs/hu/mask_net.keras,runs/fcrn/mask_net.keras \\
        --mask_names="Hu et al.,Laina et al." --output_dir=runs/figure6

A mask is drawn by G alone: the depth networks that the masks explain are not needed, and each G may
have been trained for another one. Writes masks.png (a row for each image: the image, its Sobel
edges, the mask of each G), every picture as a PNG of its own, and masks.csv and masks.json with the
share of pixels that each mask keeps, into --output_dir. --dataset=folder draws from all images of
the folder, other data sets from their validation split. --help lists the flags.
"""

import re
import textwrap
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfdepthviz import masks, metrics
from tfdepthviz.data import pipeline, transforms
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import colours, grids
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import without_nan, write_csv, write_json
from trainers.cli import data as datasets
from trainers.cli import flags, mask_files
from trainers.engine.output_folder import check_output
from trainers.engine.strategy import prepare

COLUMNS = ("frame", "mask", "sparseness", "mean")
TITLE_LETTERS = 30


def run(
    *,
    data=datasets.Data(),
    input_size=(228, 304),
    frames=6,
    mask_nets=("compact",),
    mask_weights=None,
    mask_names=(),
    threshold=THRESHOLD,
    output_dir=None,
):
    """Draws the masks and returns the figures of masks.csv, a dict for each image and mask."""
    check_output(output_dir, "pictures and tables")
    files = mask_files.listed(mask_weights)
    if not files:
        raise InputError("--mask_weights: needs the files of one or more mask generators")
    names = _one_each(
        "mask_names", mask_names or [mask_files.name_of(file) for file in files], files
    )
    nets = _one_each(
        "mask_nets", mask_nets * len(files) if len(mask_nets) == 1 else mask_nets, files
    )
    prepare("float32", seed=0)
    source = datasets.Source(data)
    # No image of a folder was held out from whatever trained the masks.
    raw = source.load(None if data.dataset == "folder" else "validation")
    generators = [
        build_mask_net(net, (*input_size, 3), weights=file)
        for net, file in zip(nets, files, strict=True)
    ]
    with source.named_files():
        image = pipeline.spread(raw, frames, input_size=input_size, depth_size=input_size)["image"]
    rgb = np.clip(transforms.denormalise(image).numpy(), 0, 1)
    drawn = [g.predict_on_batch(image) for g in tqdm(generators, desc="drawing", unit="mask")]
    edges = _visible(np.asarray(masks.edge_strength(rgb)))
    columns = [("image", np.round(255 * rgb).astype("uint8"))]
    columns += [
        (name, [colours.grey(one) for one in batch])
        for name, batch in zip(["Sobel edges", *names], [edges, *drawn], strict=True)
    ]
    rows = [
        {
            "frame": frame,
            "mask": name,
            "sparseness": float(metrics.sparseness(mask[frame][None], threshold)[0]),
            "mean": float(mask[frame].mean()),
        }
        for frame in range(len(rgb))
        for name, mask in zip(names, drawn, strict=True)
    ]
    _write(Path(output_dir), columns, rows, threshold)
    print(f"wrote {Path(output_dir) / 'masks.png'}", flush=True)
    return rows


def _one_each(flag, values, files):
    if len(values) != len(files):
        raise InputError(
            f"--{flag}={','.join(values)}: expected one for each of the {len(files)} files of "
            f"--mask_weights, received {len(values)}"
        )
    return list(values)


def _visible(edges):
    """Edges as grey levels: the strongest hundredth of each image's is white."""
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
    flags.main(run, continues=False)
