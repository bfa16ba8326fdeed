"""A tiny NYU data set in the authors' layout."""

import numpy as np
from PIL import Image


def write_nyu(folder, height=64, width=96, tests=3):
    """Four 8-bit training pairs and some 16-bit test pairs, paths as the authors write them."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", tests)):
        rows = []
        for number in range(count):
            name = f"{folder.name}/nyu2_{split}/{number}"
            path = folder.parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8))
            coarse.resize((width, height)).save(f"{path}.jpg")
            metres = rng.uniform(1, 9, (8, 12)).repeat(height // 8, 0).repeat(width // 12, 1)
            depth = metres * 25.5 if split == "train" else metres * 1000
            dtype = np.uint8 if split == "train" else np.uint16
            Image.fromarray(depth.astype(dtype)).save(f"{path}.png")
            rows.append(f"{name}.jpg,{name}.png\n")
        (folder / f"nyu2_{split}.csv").write_text("".join(rows))
    return folder
