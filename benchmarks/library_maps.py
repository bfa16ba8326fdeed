"""Maps of N's needed pixels by xplique, to compare a G with.

    pip install xplique
    python benchmarks/library_maps.py --data_dir=NYU --methods=rise,hsic --output=runs/maps
    python -m trainers.compare_masks --dataset=nyu --data_dir=NYU --max_images=20 \\
        --mask_weights=default --maps=runs/maps/xplique_rise --output_dir=runs/libraries

xplique explains one number of an image: minus N's squared distance from N(I). Each map is written
as xplique_METHOD/NUMBER.npy at N's input size; NUMBER is the frame's in the test set. Maps that are
there already are kept. tests/helpers/captum_maps.py does the same with captum. docs/libraries.md
has the results.
"""

import tensorflow as tf
from absl import app, flags
from library_works.maps import BATCH, write_maps
from xplique.attributions import HsicAttributionMethod, Rise, SobolAttributionMethod

METHODS = ("rise", "hsic", "sobol")
CHOSEN = flags.DEFINE_list("methods", METHODS, f"Some of {', '.join(METHODS)}.")
SAMPLES = flags.DEFINE_integer("samples", 256, "Perturbed images of RISE and HSIC.", lower_bound=8)
DESIGNS = flags.DEFINE_integer("designs", 4, "Designs of Sobol, a power of 2.", lower_bound=2)


@tf.function(reduce_retracing=True)
def dense_operator(model, inputs, targets):
    """Minus the squared distance of a dense output from flat targets, for xplique."""
    outputs = model(inputs, training=False)
    squares = tf.square(tf.reshape(outputs, (tf.shape(outputs)[0], -1)) - targets)
    return -tf.reduce_mean(squares, axis=1)


def explained(method, **options):
    """Function of (Score, image) that a method of xplique makes."""

    def explain(score, image):
        explainer = method(score.net, batch_size=BATCH, operator=dense_operator, **options)
        return explainer(image, tf.reshape(score.full, (1, -1)))

    return explain


def main(_):
    methods = {
        "rise": explained(Rise, nb_samples=SAMPLES.value),
        "hsic": explained(HsicAttributionMethod, nb_design=SAMPLES.value),
        "sobol": explained(SobolAttributionMethod, nb_design=DESIGNS.value),
    }
    chosen = {f"xplique_{name}": methods[name] for name in CHOSEN.value}
    write_maps(chosen, ("tensorflow", "keras", "xplique"))


if __name__ == "__main__":
    app.run(main)
