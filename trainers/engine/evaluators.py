"""Evaluator: the network N_e of a file that --evaluator names."""

import keras

from tfdepthviz.utils.errors import InputError


def evaluator_of(path, target):
    """N_e, which gives N's depth of images with holes.

    Args:
      path: evaluator.keras of train_evaluator.
      target: N, a DepthTarget.
    Raises:
      InputError: the file cannot be read, or its network takes or gives another size than N.
    """
    try:
        evaluator = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"--evaluator={path}: cannot be read as a network ({error})") from error
    sizes = [(net.input_shape[1:], net.output_shape[1:]) for net in (target.net, evaluator)]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"--evaluator={path}: expected a network of N's input and output {sizes[0]}. "
            f"Received: {sizes[1]}"
        )
    return evaluator
