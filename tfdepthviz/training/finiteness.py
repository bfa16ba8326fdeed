"""Which parts of a training step were not finite."""

import tensorflow as tf


def faults(terms, gradients, variables):
    """For each term of the loss and each gradient, how many of its values are NaN or infinite.

    Args:
      terms: dict of name -> values of a term, of any shape.
      gradients: gradients, those of `variables`.
    Returns:
      dict of name -> () int32; the sum over replicas is that of the batch.
    """
    values = dict(terms)
    for gradient, variable in zip(gradients, variables, strict=True):
        values[f"gradient of {variable.path}"] = gradient
    return {name: _count(value) for name, value in values.items()}


def _count(value):
    return tf.math.count_nonzero(~tf.math.is_finite(value), dtype=tf.int32)
