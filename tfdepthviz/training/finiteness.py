"""Count of NaN and infinite values in the parts of a training step."""

import tensorflow as tf


def faults(terms, gradients, variables):
    """Counts the NaN and infinite values of each term of the loss and each gradient.

    Args:
      terms: dict of name -> values of a term, of any shape.
      gradients: list of gradients, in the order of `variables`.
      variables: list of the variables.
    Returns:
      dict of name -> () int32; the sum over the replicas is that of the batch.
    """
    values = dict(terms)
    for gradient, variable in zip(gradients, variables, strict=True):
        values[f"gradient of {variable.path}"] = gradient
    return {name: _count(value) for name, value in values.items()}


def _count(value):
    return tf.math.count_nonzero(~tf.math.is_finite(value), dtype=tf.int32)
