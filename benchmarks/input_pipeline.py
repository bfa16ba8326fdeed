"""Images per second of the input pipeline, part by part, next to the training step.

    python benchmarks/input_pipeline.py                              made-up frames, a minute
    python benchmarks/input_pipeline.py --dataset=nyu --data_dir=DIR
    python benchmarks/input_pipeline.py --depth_net=hu_resnet50 --mask_net=drn_d_22 --batch_size=2

Without --data_dir frames of NYU's size are made up and written in three forms: JPEG with depth as
PNG, PNG with depth as PNG, and the HDF5 file of NYU's labelled set.

Prints a table and writes it, with machine and versions, to --output as JSON. CPU time is that of
all threads of the process, and what counts on a busy machine: 1000 / (CPU ms an image) is what one
core gives. Files are read twice and the second time counts, so that they come from memory, not from
the disk. The last lines say how many cores feed a GPU. No GPU was measured: its rates follow from
the multiply-adds of one step of a mask generator on hu_resnet50, from published peaks of NVIDIA's
H200, and from an assumed share of them.
"""

import contextlib
import os
import pathlib
import tempfile
import time

import tensorflow as tf
from absl import app, flags
from common import record
from input_works import photographs
from speed_works import worker

from tfdepthviz.data import pipeline, transforms
from tfdepthviz.models import DEPTH_NETS, MASK_NETS, build_depth_net, build_mask_net
from tfdepthviz.training.mask_trainer import MaskTrainer
from trainers.cli.data import Data
from trainers.engine.source import Source

DATASET = flags.DEFINE_enum("dataset", "nyu", ["nyu", "nyu_labeled", "nyu_tfds", "folder"], "Form.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the data set; else made-up frames.")
FRAMES = flags.DEFINE_integer("frames", 48, "Frames to make up or to read.", lower_bound=2)
HEIGHT = flags.DEFINE_integer("height", 228, "Rows of the image.", lower_bound=32)
WIDTH = flags.DEFINE_integer("width", 304, "Columns of the image.", lower_bound=32)
BATCH_SIZE = flags.DEFINE_integer("batch_size", 8, "Images a batch.", lower_bound=1)
DEPTH_NET = flags.DEFINE_enum("depth_net", "compact", list(DEPTH_NETS), "N of the step.")
MASK_NET = flags.DEFINE_enum("mask_net", "compact", list(MASK_NETS), "G of the step.")
STEPS = flags.DEFINE_integer("steps", 3, "Training steps to time.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/input_pipeline.json", "The JSON file.")

# 10^12 multiply-adds a second at the published peak (two operations each), and the share of it that
# training is assumed to reach.
ASSUMED_GPU = {
    "H200, float32": (33.5, 0.5),
    "H200, TF32": (247.0, 0.35),
    "H200, bfloat16": (494.5, 0.35),
}


def timed(dataset, count, *, warm=0):
    """Wall and CPU milliseconds an image over `count` images, after `warm` elements."""
    elements = iter(dataset)
    for _ in range(warm):
        next(elements)
    seen, wall, cpu = 0, time.perf_counter(), time.process_time()
    while seen < count:
        image = next(elements)["image"]
        seen += len(image) if len(image.shape) == 4 else 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_ms": 1000 * wall / seen, "cpu_ms": 1000 * cpu / seen}


def parts(raw, count):
    """Name -> times of every part of the chain alone, what it takes lying ready in memory."""
    size = transforms.margin_size((HEIGHT.value, WIDTH.value))
    few = raw.take(4).cache().repeat()
    covered = few.map(lambda example: transforms.cover(example, size)).take(4).cache().repeat()
    as_float = covered.map(lambda example: changed(example, lambda x: tf.cast(x, tf.float32) / 255))
    as_float = as_float.take(4).cache().repeat()
    ready = as_float.map(lambda example: transforms.crop(example, *sizes().values()))
    ready = ready.take(4).cache().repeat()
    seed = tf.constant([0, 0])
    functions = {
        "resize": (few, lambda example: transforms.cover(example, size)),
        "random view": (as_float, lambda example: transforms.random_view(example, seed)),
        "random colours": (
            as_float,
            lambda example: changed(example, lambda x: transforms.random_colours(x, seed)),
        ),
        "normalise": (as_float, lambda example: changed(example, transforms.normalise)),
        "crop": (as_float, lambda example: transforms.crop(example, *sizes().values())),
    }
    timed(raw, count)  # the system now holds the files in memory
    yield "read and decode", timed(raw.repeat(), count, warm=count)
    for name, (data, function) in functions.items():
        yield name, timed(data.map(function, tf.data.AUTOTUNE), count, warm=8)
    yield "batch", timed(ready.batch(BATCH_SIZE.value).prefetch(2), 4 * count, warm=4)
    cached = covered.take(count).cache()
    yield "read cache, memory", timed(cached.repeat(), count, warm=count)
    with tempfile.TemporaryDirectory() as folder:
        cached = covered.take(count).cache(os.path.join(folder, "cache"))
        yield "write cache, disk", timed(cached.repeat(), count)
        yield "read cache, disk", timed(cached.repeat(), count, warm=count)


def changed(example, function):
    return {"image": function(example["image"]), "depth": example["depth"]}


def sizes():
    """Of image and depth; N's output is half as large."""
    size = HEIGHT.value, WIDTH.value
    return {"input_size": size, "depth_size": tuple(-(-n // 2) for n in size)}


def chain(raw, count):
    """The whole chain: an epoch that fills the cache, and those that find it full."""
    data = pipeline.training_batches(raw, **sizes(), batch_size=BATCH_SIZE.value, seed=0)
    yield "whole chain, first epoch", timed(data, count)
    # The epoch, and what was made ahead of its end.
    full = count // BATCH_SIZE.value + 4
    yield "whole chain, later epochs", timed(data, 2 * count, warm=full)


def training(raw):
    """The training step with the same batches again and again, and fed by the full chain."""
    shape = (HEIGHT.value, WIDTH.value, 3)
    nets = build_depth_net(DEPTH_NET.value, shape), build_mask_net(MASK_NET.value, shape)
    of_n = {"input_size": shape[:2], "depth_size": nets[0].output_shape[1:3]}
    data = pipeline.training_batches(raw.take(8), **of_n, batch_size=BATCH_SIZE.value, seed=0)
    step = worker.compiled_step(MaskTrainer(*nets))
    for name, batches in (("step alone", data.take(2).cache().repeat()), ("step, fed", data)):
        stepped = ({"image": batch["image"], "loss": step(batch)} for batch in batches)
        yield name, timed(stepped, STEPS.value * BATCH_SIZE.value, warm=3)


def gpu_rates():
    """Name -> images a second of a training step that the assumed GPU would do."""
    shape = (HEIGHT.value, WIDTH.value, 3)
    of_n = worker.multiply_adds(build_depth_net("hu_resnet50", shape))
    of_g = worker.multiply_adds(build_mask_net("drn_d_22", shape))
    work = worker.step_work(of_n, of_g)
    return {name: 1e12 * peak * share / work for name, (peak, share) in ASSUMED_GPU.items()}


@contextlib.contextmanager
def sources():
    """Name -> raw examples."""
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        if DATA_DIR.value:
            made[f"{DATASET.value}, {DATA_DIR.value}"] = DATASET.value, DATA_DIR.value
        else:
            frames = photographs.frames(FRAMES.value)
            for suffix in ("jpg", "png"):
                there = pathlib.Path(folder) / suffix
                there.mkdir()
                photographs.write_csv_layout(there, frames, suffix)
                made[f"{suffix.upper()} and PNG"] = "nyu", str(there)
            photographs.write_labeled(pathlib.Path(folder), frames)
            made["HDF5"] = "nyu_labeled", folder
        yield {
            name: Source(Data(dataset=form, data_dir=where)).load("train").take(FRAMES.value)
            for name, (form, where) in made.items()
        }


def measure():
    """Rows of the table."""
    rows = []
    with sources() as examples:
        for source, raw in examples.items():
            count = len(raw)
            first = not rows
            # What is ready in memory is the same, whatever file it came from.
            for name, times in parts(raw, count):
                if first or name == "read and decode":
                    rows.append({"source": source, "part": name, **times})
            for name, times in chain(raw, count):
                rows.append({"source": source, "part": name, **times})
        for name, times in training(next(iter(examples.values()))):
            rows.append({"source": "", "part": name, **times})
    return rows


def show(rows):
    heads = f"{'wall ms':>8s} {'images/s':>9s} {'CPU ms':>7s} {'a core':>8s}"
    print(f"{'source':18s} {'part':26s} {heads}")
    for row in rows:
        print(
            f"{row['source'][:18]:18s} {row['part']:26s} {row['wall_ms']:8.2f} "
            f"{1000 / row['wall_ms']:9.1f} {row['cpu_ms']:7.2f} {1000 / row['cpu_ms']:8.1f}"
        )


def feeding(rows, rates):
    """Rows that say how many cores feed an assumed GPU."""
    return [
        {
            "source": row["source"],
            "part": row["part"],
            "gpu": gpu,
            "assumed_images_a_second": rate,
            "cores": rate * row["cpu_ms"] / 1000,
        }
        for gpu, rate in rates.items()
        for row in rows
        if row["part"].startswith("whole chain")
    ]


def main(_):
    rows = measure()
    show(rows)
    rates = gpu_rates()
    fed = feeding(rows, rates)
    for gpu, rate in rates.items():
        print(f"cores that feed {rate:.0f} images/s, assumed, not measured ({gpu}):")
        for row in fed:
            if row["gpu"] == gpu:
                print(f"{row['source'][:18]:18s} {row['part']:26s} {row['cores']:8.1f}")
    figures = {
        "rows": rows,
        "feeding": fed,
    }
    record.write(OUTPUT.value, figures, ["tensorflow"])


if __name__ == "__main__":
    app.run(main)
