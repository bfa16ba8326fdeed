"""A process that benchmarks/speed.py measures: it does one work for each name on standard input.

Started with another checkout's folder in PYTHONPATH, it measures that checkout. It answers in lines
of JSON: first the multiply-adds of every work, then seconds and peak memory of each run.
"""

import json
import pathlib
import queue
import sys
import tempfile
import threading
import time

import keras
import tensorflow as tf

from tfdepthviz.evaluation import evaluate_masks
from tfdepthviz.export import export_savedmodel
from tfdepthviz.models import build_depth_net, build_mask_net

try:
    from tfdepthviz.training import DepthTrainer, MaskTrainer
except ImportError:  # a checkout of before these modules moved
    from tfdepthviz.depth_training import DepthTrainer
    from tfdepthviz.mask_training import MaskTrainer

MATRIX = 2048


def matrix_product():
    """The machine's roofline: one product of square matrices."""
    a = tf.random.stateless_normal((MATRIX, MATRIX), (0, 0))
    product = tf.function(lambda: tf.matmul(a, a))
    return lambda: product()[0, 0].numpy()


def forward(net, image, xla=False):
    call = tf.function(lambda x: net(x, training=False), autograph=False, jit_compile=xla or None)
    return lambda: call(image)[0, 0, 0, 0].numpy()


def compiled_step(trainer, xla=False):
    """Function of a batch that does one training step and returns its loss."""
    trainer.compile(keras.optimizers.AdamW(1e-4), jit_compile=False)
    trainer.optimizer.build(trainer.trainable_variables)
    step = tf.function(trainer.train_step, jit_compile=xla or None)
    return lambda batch: step(batch)["loss"].numpy()


def folded(net):
    """N as commands that explain it run it."""
    try:
        from tfdepthviz.models.folding import fold_batch_norm
    except ImportError:  # another checkout may not have it, and runs N as it is
        return net
    return fold_batch_norm(net)


def training_step(trainer, batch, xla):
    step = compiled_step(trainer, xla)
    return lambda: step(batch)


def evaluation(n, g, batch):
    """One batch of an evaluation that never ends, as one that ended would trace anew."""
    asked, handed_out = queue.SimpleQueue(), queue.SimpleQueue()

    def batches():
        while True:
            asked.put(None)
            handed_out.get()
            yield batch

    def evaluate():
        try:
            evaluate_masks(n, g, batches())
        except BaseException as error:
            asked.put(error)

    def one_batch():
        handed_out.put(None)
        if error := asked.get():
            raise error

    threading.Thread(target=evaluate, daemon=True).start()
    asked.get()
    return one_batch


def served_call(n, g, image):
    """The default signature of the exported pair."""
    with tempfile.TemporaryDirectory() as folder:
        version = export_savedmodel(n, g, folder, card={}, warmup=False)
        model = tf.saved_model.load(str(version))
    call = model.signatures["serving_default"]
    image = tf.clip_by_value(image / 4 + 0.5, 0.0, 1.0)

    def one_call():  # the model goes with its last reference
        return model and call(image=image)["mask"][0, 0, 0, 0].numpy()

    return one_call


def step_work(of_n, of_g):
    """Multiply-adds of a training step of G from those of forward passes.

    N runs forward twice and backward to its input, which costs another forward; G runs forward and
    backward to its input and to its weights.
    """
    return 3 * of_n + 3 * of_g


def works(config):
    """Name -> (function that does the work once, its multiply-adds)."""
    keras.config.set_dtype_policy(config["precision"])
    shape, xla = (config["height"], config["width"], 3), config["xla"]
    n, g = build_depth_net(config["depth_net"], shape), build_mask_net(config["mask_net"], shape)
    image = tf.random.stateless_normal((config["batch_size"], *shape), (0, 0))
    batch = {"image": image, "depth": tf.ones((len(image), *n.output_shape[1:3], 1))}
    of_n, of_g = (len(image) * multiply_adds(net) for net in (n, g))
    made = {
        "matrix product": lambda: (matrix_product(), MATRIX**3),
        "forward of N": lambda: (forward(n, image, xla), of_n),
        "forward of folded N": lambda: (forward(folded(n), image, xla), of_n),
        "forward of G": lambda: (forward(g, image, xla), of_g),
        # Backward costs another forward for the inputs, and one more for trained weights.
        "training step of N": lambda: (
            training_step(DepthTrainer(build_depth_net(config["depth_net"], shape)), batch, xla),
            3 * of_n,
        ),
        "training step of G": lambda: (
            training_step(MaskTrainer(folded(n), g), batch, xla),
            step_work(of_n, of_g),
        ),
        "evaluation": lambda: (evaluation(folded(n), g, batch), passes_of_n() * of_n + of_g),
        "served call": lambda: (served_call(n, g, image), 2 * of_n + of_g),
    }
    return {name: made[name]() for name in config["works"]}


def passes_of_n():
    """Times that an evaluation runs N on an image: on its own, on M, on M' and on each control."""
    try:
        from tfdepthviz.evaluation import CONTROL_ROWS
    except ImportError:  # another checkout has edges and three draws of random pixels alone
        return 7
    # Three draws each of random pixels and blocks; without a G before training and a mean map.
    return 3 + len(set(CONTROL_ROWS) - {"untrained", "mean_map"}) + 2 * 2


def multiply_adds(net):
    """Of one image through the convolutions of a network, which are nearly all of its work."""
    total = 0
    for layer in net.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        if hasattr(layer, "size"):
            try:
                from tfdepthviz.models.layers.conv_cost import mixed_work
            except ImportError:  # a checkout of before this module moved
                from tfdepthviz.models.resized_conv_work import mixed_work

            shape, filters = layer.input.shape[1:], layer.filters
            work = mixed_work(shape, layer.size, filters, layer.kernel_size[0])
            total += work.multiply_adds
        else:
            _, height, width, _ = layer.output.shape
            total += height * width * int(tf.size(layer.kernel))
    return total


def peak_memory():
    """Most bytes resident since `forget_peak`, by the operating system's account; None: unknown."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return None
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def forget_peak():
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # not Linux, or not allowed: the peak is that of the whole process


def main():
    todo = works(json.loads(sys.argv[1]))
    print(json.dumps({name: count for name, (_, count) in todo.items()}), flush=True)
    for line in sys.stdin:
        forget_peak()
        start = time.perf_counter()
        todo[line.strip()][0]()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak_bytes": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
