"""Time and memory of exact_share, next to the soft top share that it replaced.

    python benchmarks/relaxations.py

Forward and backward pass of a batch of 8 at 228x304, compiled, the two functions in turns. Memory
is the growth of the resident size at its peak, in a process of its own for each (Linux).
"""

import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf

from tfdepthviz.training.relaxations import exact_share

SHAPE, SHARE, TEMPERATURE, ROUNDS = (8, 228, 304, 1), 0.36, 0.1, 20
AXES = {"axis": (1, 2, 3), "keepdims": True}


def soft_top_share(logits, share, softness):
    """The soft top share of before, whose mean only comes near the share."""
    centred = logits - tf.reduce_mean(logits, **AXES)
    fixed = tf.stop_gradient(centred)
    low, high = (reduce(fixed, **AXES) for reduce in (tf.reduce_min, tf.reduce_max))
    for _ in range(24):
        middle = (low + high) / 2
        enough = tf.reduce_mean(tf.cast(fixed >= middle, tf.float32), **AXES) >= share
        low, high = tf.where(enough, middle, low), tf.where(enough, high, middle)
    spread = tf.stop_gradient(tf.math.reduce_std(logits, **AXES)) + 1e-3
    return tf.sigmoid((centred - low) / (softness * spread))


FUNCTIONS = {"exact_share": exact_share, "soft top share": soft_top_share}


def compiled(function):
    """Function of logits and weights -> gradient of the weighted soft mask, and its mean."""

    @tf.function
    def step(logits, weights):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            mask = function(logits, SHARE, TEMPERATURE)
            total = tf.reduce_sum(mask * weights)
        return tape.gradient(total, logits), tf.reduce_mean(mask)

    return step


def megabytes(name):
    """VmRSS (the size now) or VmHWM (the peak) of this process."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(name + r":\s+(\d+)", status)[1]) / 1024


def main(alone=None):
    logits, weights = (tf.random.stateless_normal(SHAPE, (seed, 0)) for seed in (0, 1))
    steps = {name: compiled(function) for name, function in FUNCTIONS.items()}
    if alone:
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = megabytes("VmRSS")
        steps[alone](logits, weights)
        print(megabytes("VmHWM") - before)
        return
    seconds = {name: [] for name in steps}
    for name in [*steps] * (ROUNDS + 1):  # the first one compiles
        started = time.perf_counter()
        steps[name](logits, weights)[0].numpy()
        seconds[name].append(time.perf_counter() - started)
    print("| | ms, least (median) | MB | mean of the mask - share |\n|---|---|---|---|")
    for name, step in steps.items():
        memory = float(subprocess.check_output([sys.executable, __file__, name]))
        times = 1000 * np.array(seconds[name][1:])
        error = float(step(logits, weights)[1]) - SHARE
        print(
            f"| {name} | {times.min():.0f} ({np.median(times):.0f}) | {memory:.0f} | {error:.0e} |"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
