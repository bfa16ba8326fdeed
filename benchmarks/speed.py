"""Seconds an image: forward passes and training steps.

    python benchmarks/speed.py                                   the compact pair, about a minute
    python benchmarks/speed.py --depth_net=hu_resnet50 --mask_net=drn_d_22 --batch_size=2

Prints a table and writes it, with machine and versions, to --output as JSON. Repetitions of all
works take turns, so that their ratios hold on a noisy machine; the median counts.
"""

import json
import os
import platform
import statistics
import time

import keras
import tensorflow as tf
from absl import app, flags

from tfdepthviz.depth_training import DepthTrainer
from tfdepthviz.files import write_whole
from tfdepthviz.mask_training import MaskTrainer
from tfdepthviz.models import DEPTH_NETS, MASK_NETS, build_depth_net, build_mask_net

DEPTH_NET = flags.DEFINE_enum("depth_net", "compact", list(DEPTH_NETS), "N.")
MASK_NET = flags.DEFINE_enum("mask_net", "compact", list(MASK_NETS), "G.")
HEIGHT = flags.DEFINE_integer("height", 228, "Rows of the image.", lower_bound=32)
WIDTH = flags.DEFINE_integer("width", 304, "Columns of the image.", lower_bound=32)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Images a batch.", lower_bound=1)
REPETITIONS = flags.DEFINE_integer("repetitions", 5, "Timed runs of each work.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/speed.json", "Where to write the JSON.")


def works():
    """Name -> function that does the work once on one batch."""
    shape = (HEIGHT.value, WIDTH.value, 3)
    n, g = build_depth_net(DEPTH_NET.value, shape), build_mask_net(MASK_NET.value, shape)
    image = tf.random.stateless_normal((BATCH_SIZE.value, *shape), (0, 0))
    depth = tf.ones((BATCH_SIZE.value, *n.output_shape[1:3], 1))
    batch = {"image": image, "depth": depth}
    trained = DepthTrainer(build_depth_net(DEPTH_NET.value, shape))
    trainers = {"training step of N": trained, "training step of G": MaskTrainer(n, g)}
    steps = {}
    for name, trainer in trainers.items():
        trainer.compile(keras.optimizers.AdamW(1e-4), jit_compile=False)
        trainer.optimizer.build(trainer.trainable_variables)
        step = tf.function(trainer.train_step)
        steps[name] = lambda step=step: step(batch)["loss"].numpy()
    forward_n = tf.function(lambda: n(image, training=False))
    forward_g = tf.function(lambda: g(image, training=False))
    return {
        "forward of N": lambda: forward_n().numpy(),
        "forward of G": lambda: forward_g().numpy(),
        **steps,
    }


def main(_):
    todo = works()
    seconds = {name: [] for name in todo}
    for work in todo.values():
        work()
    for _ in range(REPETITIONS.value):
        for name, work in todo.items():
            start = time.perf_counter()
            work()
            seconds[name].append((time.perf_counter() - start) / BATCH_SIZE.value)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{name:20s} {1000 * value:9.1f} ms an image {1 / value:9.2f} images/s")
    record = {
        "flags": {f.name: f.value for f in flags.FLAGS.get_key_flags_for_module("__main__")},
        "seconds_an_image": medians,
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    write_whole(OUTPUT.value, json.dumps(record, indent=2) + "\n")
    print(f"wrote {OUTPUT.value}")


if __name__ == "__main__":
    app.run(main)
