"""Made-up frames of NYU's size in the file formats that the project reads."""

import csv

import h5py
import numpy as np
from PIL import Image
from scipy import io

HEIGHT, WIDTH = 480, 640
# Of a JPEG of this quality; photographs of NYU at the same size take 20 to 80 kB.
QUALITY = 85
DEPTHS = "depths", "float32", (WIDTH, HEIGHT)


def frame(rng):
    """Image (H, W, 3) uint8 and depth (H, W) metres with detail at every scale, as a scene has."""
    image, depth = np.zeros((HEIGHT, WIDTH, 3)), np.zeros((HEIGHT, WIDTH))
    for step in (160, 80, 40, 20, 10, 5):
        coarse = rng.uniform(0, 255, (HEIGHT // step, WIDTH // step, 4)).astype("uint8")
        layer = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        layer = np.asarray(layer, "float64") / 255.0
        image += layer[..., :3] * step
        depth += layer[..., 3] * step
    image = 255 * (image - image.min()) / np.ptp(image)
    return image.astype("uint8"), 1.0 + 8.0 * (depth - depth.min()) / np.ptp(depth)


def frames(count):
    """(image, depth) of `count` frames, the same in every run."""
    rng = np.random.default_rng(0)
    return [frame(rng) for _ in range(count)]


def write_csv_layout(folder, made, suffix):
    """Files in the layout that --dataset=nyu reads.

    Args:
      folder: an empty one.
      made: what `frames` gave: the training split; the first is the test split, too.
      suffix: "jpg" or "png", of the images; depth is a PNG of 16 bits.
    """
    rows = []
    for number, (image, depth) in enumerate(made):
        row = f"{number}.{suffix}", f"{number}_depth.png"
        Image.fromarray(image).save(folder / row[0], quality=QUALITY)
        Image.fromarray((1000 * depth).astype("uint16")).save(folder / row[1])
        rows.append(row)
    for split, of_split in (("train", rows), ("test", rows[:1])):
        with open(folder / f"nyu2_{split}.csv", "w", newline="") as file:
            csv.writer(file).writerows(of_split)


def write_labeled(folder, made):
    """Files that --dataset=nyu_labeled reads, with deflate, a chunk for each frame.

    Args:
      folder: an empty one.
      made: what `frames` gave; the last is the test split.
    """
    count = len(made)
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        for name, dtype, axes in (("images", "uint8", (3, WIDTH, HEIGHT)), DEPTHS):
            array = file.create_dataset(
                name, (count, *axes), dtype, chunks=(1, *axes), compression="gzip"
            )
            for number, arrays in enumerate(made):
                array[number] = arrays[name == "depths"].T
    indices = {"trainNdxs": np.arange(1, count), "testNdxs": np.array([count])}
    io.savemat(folder / "splits.mat", {name: n[:, None] for name, n in indices.items()})
