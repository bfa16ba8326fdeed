"""Metrics of quantus for our masks and controls: pixel flipping, and its randomisation test.

    pip install quantus
    python benchmarks/library_metrics.py --data_dir=NYU

Pixel flipping asks a classifier, so N becomes one whose classes are the frames: the score of class
j is minus N's squared distance from N(I_j). It removes the pixels of highest score first; the area
under the curve of -score is larger for a better order. The randomisation test (MPRT) permutes the
weights of N, layer after layer, and compares maps of before and after. A trained G does not change
with N's weights; audit_masks --tests=sanity trains it anew for that.
"""

import keras
import numpy as np
import quantus
import tensorflow as tf
from absl import app, flags
from common import record

from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import controls
from tfdepthviz.evaluation.audit.result import Samples, figure, in_words
from tfdepthviz.evaluation.gradients import mean_depth_gradient
from tfdepthviz.evaluation.ranking import ranking
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.models.target import DepthTarget
from trainers.cli.data import Data
from trainers.engine.source import Source

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of NYU; without it, embedded frames.")
FRAMES = flags.DEFINE_integer("frames", 20, "Test frames, evenly spread.", lower_bound=2)
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/library_metrics.json", "The JSON file.")
BATCH = 8
# Pixel flipping removes a ninth in each step; quantus asks for a number that divides H*W.
STEPS = 9


def frame_classifier(net, images):
    """N as a classifier: image -> (B, N), minus the squared distance from N of each of N frames."""
    full = np.stack([net(image[None], training=False).numpy() for image in images])
    squares = keras.ops.square(keras.ops.expand_dims(net.output, 0) - full)
    scores = -keras.ops.transpose(keras.ops.mean(squares, axis=(2, 3, 4)))
    # quantus looks for the activation of the last layer.
    return keras.Model(net.input, keras.layers.Activation("linear")(scores))


def pixel_flipping(net, images, scores):
    """Name -> (N,) area under -score as the top pixels of each order are removed."""
    size = images.shape[1:3]
    metric = quantus.PixelFlipping(
        features_in_step=3 * size[0] * size[1] // STEPS,
        perturb_baseline=0.0,  # the mean colour
        abs=False,
        normalise=False,
        disable_warnings=True,
    )
    model, labels, areas = frame_classifier(net, images), np.arange(len(images)), {}
    for name, values in scores.items():
        # quantus turns images to channels first, and expects maps that are so already.
        maps = values.transpose(0, 3, 1, 2)
        curves = metric(model, images, labels, maps, channel_first=False, softmax=False)
        areas[name] = np.mean(-np.array(curves), axis=1)
    return areas


def randomisation(net, images):
    """(N,) Spearman's rho of |gradient| of N and of N with all weights permuted."""

    def explained(model, inputs, targets, **_):
        if inputs.shape[1] == 3:  # quantus gives either order
            inputs = inputs.transpose(0, 2, 3, 1)
        gradient = mean_depth_gradient(model)
        batches = [tf.constant(inputs[i : i + BATCH]) for i in range(0, len(inputs), BATCH)]
        return np.concatenate([np.abs(gradient(batch)).sum(-1)[:, None] for batch in batches])

    metric = quantus.MPRT(skip_layers=True, return_last_correlation=True, disable_warnings=True)
    labels = np.zeros(len(images), int)
    return np.array(metric(net, images, labels, explain_func=explained, channel_first=False))


def main(_):
    net = DepthTarget(build_depth_net("compact", weights="default")).net
    dataset = "nyu" if DATA_DIR.value else "samples"
    frames = Source(Data(dataset=dataset, data_dir=DATA_DIR.value)).load("validation")
    size = net.input_shape[1:3]
    images = pipeline.spread(frames, FRAMES.value, input_size=size, depth_size=size)["image"]
    images = images.numpy()
    order = ranking(build_mask_net("compact_ranking", net.input_shape[1:], weights="default"))
    scores = {"G": np.concatenate([np.asarray(order(image[None])) for image in images])}
    names = ("sobel", "blurred_edges", "random")
    for name, function in controls.control_scores(net, names, random_seeds=(0,)).items():
        scores[name] = np.asarray(function(images, 0))
    samples = Samples(len(images))
    areas = pixel_flipping(net, images, scores)
    figures = {f"area/{name}": figure(samples.mean(values)) for name, values in areas.items()}
    for name in list(areas)[1:]:
        figures[f"area/G minus {name}"] = figure(samples.mean(areas["G"] - areas[name]))
    figures["randomisation/gradient"] = figure(samples.mean(randomisation(net, images)))
    for name, number in figures.items():
        print(name, in_words(number))
    packages = ("tensorflow", "keras", "quantus")
    record.write(OUTPUT.value, {"images": len(images), "figures": figures}, packages)


if __name__ == "__main__":
    app.run(main)
