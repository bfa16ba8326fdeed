"""Writes maps of other libraries for test frames, as compare_masks --maps reads them."""

import pathlib
import time

import numpy as np
import tensorflow as tf
from absl import flags
from common import record
from library_works.score import Score
from tqdm import tqdm

from tfdepthviz.data import pipeline
from tfdepthviz.models import build_depth_net
from tfdepthviz.models.target import DepthTarget
from trainers.cli.data import Data
from trainers.engine.source import Source

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of NYU; without it, embedded frames.")
FRAMES = flags.DEFINE_integer("frames", 20, "Test frames, evenly spread.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", "runs/maps", "Folder for the maps.")
BATCH = 16


def frames(net):
    """Images (1, H, W, 3) of test frames as N sees them, and their numbers."""
    dataset = "nyu" if DATA_DIR.value else "samples"
    raw = Source(Data(dataset=dataset, data_dir=DATA_DIR.value)).load("validation")
    raw, places = pipeline.evenly(raw, FRAMES.value)
    size = net.input_shape[1:3]
    batches = pipeline.evaluation_batches(raw, input_size=size, depth_size=size, batch_size=1)
    return [batch["image"].numpy() for batch in batches], places


def write_maps(methods, packages):
    """Writes METHOD/NUMBER.npy for each frame, and the time that a frame took as JSON.

    Args:
      methods: name -> function of (Score, image (1, H, W, 3)) -> array of H*W numbers.
      packages: whose versions are recorded.
    """
    net = DepthTarget(build_depth_net("compact", weights="default")).folded().net
    images, places = frames(net)
    folder, seconds = pathlib.Path(OUTPUT.value), {}
    for name, method in methods.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        tf.keras.utils.set_random_seed(0)
        started, made = time.monotonic(), 0
        for place, image in zip(places, tqdm(images, desc=name, unit="frame"), strict=True):
            path = folder / name / f"{place}.npy"
            if path.exists():
                continue
            np.save(path, np.asarray(method(Score(net, image), image)).reshape(image.shape[1:3]))
            made += 1
        if made:
            seconds[name] = (time.monotonic() - started) / made
    record.write(folder / f"{packages[-1]}.json", {"seconds_a_frame": seconds}, packages)
