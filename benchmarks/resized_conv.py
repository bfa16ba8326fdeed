"""Milliseconds of a convolution of a resized map, in both forms, for the maps of two networks.

    python benchmarks/resized_conv.py

takes all maps that hu_resnet50 and drn_d_22 resize at 228x304, forward and with gradients of map
and kernel. Both forms take turns and medians count. `chosen` is what the rule says, by its estimate
of the cost (`tfdepthviz/models/layers/conv_cost.py`). Prints a table and writes it as JSON.
"""

import statistics
import time

import tensorflow as tf
from absl import app, flags
from common import record

from tfdepthviz.models.layers import resized_conv
from tfdepthviz.models.layers.conv_cost import direct_work, mixed_work, mixing_first_pays

MAPS = {  # map, size that it is resized to, filters
    "N, MFF_up4": ((8, 10, 2048), (114, 152), 16),
    "N, MFF_up3": ((15, 19, 1024), (114, 152), 16),
    "N, MFF_up2": ((29, 38, 512), (114, 152), 16),
    "N, MFF_up1": ((57, 76, 256), (114, 152), 16),
    "N, D_up1": ((8, 10, 1024), (15, 19), 512),
    "N, D_up2": ((15, 19, 512), (29, 38), 256),
    "N, D_up3": ((29, 38, 256), (57, 76), 128),
    "N, D_up4": ((57, 76, 128), (114, 152), 64),
    "G, D_up1": ((29, 38, 512), (57, 76), 256),
    "G, D_up2": ((57, 76, 256), (114, 152), 128),
    "G, D_up3": ((114, 152, 128), (228, 304), 64),
}
KERNEL_SIZE = 5
FORMS = {"direct": resized_conv.resize_then_convolve, "mixed": resized_conv.conv_of_resized}

BATCH_SIZE = flags.DEFINE_integer("batch_size", 2, "Images a batch.", lower_bound=1)
REPETITIONS = flags.DEFINE_integer("repetitions", 7, "Timed runs of each.", lower_bound=1)
OUTPUT = flags.DEFINE_string(
    "output", "runs/benchmarks/resized_conv.json", "Where to write the JSON."
)


def works(shape, size, filters):
    """(form, "forward" or "both ways") -> function that does it once."""
    x = tf.random.stateless_normal((BATCH_SIZE.value, *shape), (0, 0))
    kernel = tf.random.stateless_normal((KERNEL_SIZE, KERNEL_SIZE, shape[2], filters), (0, 1))
    made = {}
    for name, form in FORMS.items():
        forward = tf.function(lambda form=form: form(x, kernel, size))

        def both_ways(form=form):
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                loss = tf.reduce_sum(form(x, kernel, size) ** 2)
            # Of what is not asked for nothing is computed.
            return tf.stack([tf.reduce_sum(g) for g in tape.gradient(loss, [x, kernel])])

        made[name, "forward"] = forward
        made[name, "both ways"] = tf.function(both_ways)
    return made


def milliseconds(made):
    """Work -> median over the turns."""
    runs = {work: [] for work in made}
    for turn in range(REPETITIONS.value + 1):
        for work, function in made.items():
            start = time.perf_counter()
            function().numpy()
            if turn:  # the first run traces
                runs[work].append(1000 * (time.perf_counter() - start))
    return {work: statistics.median(times) for work, times in runs.items()}


def main(_):
    print(f"{'':11s} {'map, size, filters':36s} {'forward: direct mixed':>22s} {'both ways':>14s}")
    rows = []
    for name, (shape, size, filters) in MAPS.items():
        medians = milliseconds(works(shape, size, filters))
        arguments = shape, size, filters, KERNEL_SIZE
        chosen = "mixed" if mixing_first_pays(*arguments) else "direct"
        row = {"map": name, "shape": shape, "size": size, "filters": filters, "chosen": chosen}
        row |= {f"{form}, {way}, ms": value for (form, way), value in medians.items()}
        row["direct, cost"] = direct_work(*arguments).cost
        row["mixed, cost"] = mixed_work(*arguments).cost
        rows.append(row)
        print(
            f"{name:11s} {f'{shape} -> {size}, {filters}':36s} "
            f"{medians['direct', 'forward']:15.0f} {medians['mixed', 'forward']:6.0f} "
            f"{medians['direct', 'both ways']:8.0f} {medians['mixed', 'both ways']:5.0f}  {chosen}"
        )
    record.write(OUTPUT.value, {"rows": rows}, ["tensorflow", "keras"])


if __name__ == "__main__":
    app.run(main)
