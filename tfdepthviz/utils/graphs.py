"""Graphs: Python functions compiled by TensorFlow."""

import functools

import tensorflow as tf


def compiled(function, **options):
    """A function of tensors as a graph, which batches of other sizes share.

    TensorFlow counts traces by the line of source that a function was written in, and warns of a
    line whose functions are traced often. One line here makes the graphs of many networks, each of
    which is traced once or twice; functools.partial lets TensorFlow tell them apart.

    Args:
      function: of tensors, or of nested structures of them.
      options: of tf.function.
    """
    return tf.function(functools.partial(function), reduce_retracing=True, **options)
