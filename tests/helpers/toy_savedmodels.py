"""Toy SavedModels of a few operations each."""

import tensorflow as tf


def text(name):
    return tf.TensorSpec((None,), tf.string, name=name)


def save(path, **functions):
    """Saves signatures: name -> (function of tensors that gives a dict, TensorSpecs)."""
    module = tf.Module()
    for name, (function, *specs) in functions.items():
        setattr(module, name, tf.function(function, input_signature=specs, autograph=False))
    signatures = {name: getattr(module, name) for name in functions}
    tf.saved_model.save(module, str(path), signatures=signatures)


def save_affine(path, addend=2.0):
    """x -> x / 2 + addend for x of any shape, and signatures that count, fail and select rows."""
    x = tf.TensorSpec(None, tf.float32, name="x")
    save(
        path,
        serving_default=(lambda x: {"y": x * 0.5 + addend}, x),
        batch_size=(lambda x: {"rows": tf.fill(tf.shape(x)[:1], tf.shape(x)[0])}, x),
        fails_above_100=(lambda x: {"y": _checked(x)}, x),
        scalar=(lambda x: {"total": tf.reduce_sum(x)}, x),
        positive=(lambda x: {"found": _positive(x)}, x),
        positive_twice=(lambda x: {"found": _positive(x), "again": _positive(x)}, x),
    )


def _positive(x):
    return tf.gather_nd(x, tf.where(x > 0.0))


def _checked(x):
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x < 100.0), ["above 100"])]):
        return tf.identity(x)


def save_strings(path):
    """Strings in and out, of both kinds, and images."""

    def same(s):
        return {"text": s, "raw_bytes": s, "length": tf.strings.length(s)}

    def size(image_bytes):
        def one(contents):
            return tf.shape(tf.io.decode_image(contents, channels=3, expand_animations=False))[:2]

        return {"size": tf.map_fn(one, image_bytes, fn_output_signature=tf.TensorSpec(2, tf.int32))}

    save(
        path,
        serving_default=(same, text("s")),
        image_size=(size, text("image_bytes")),
    )


def save_many(path):
    """Two inputs of different types, three outputs of different ranks."""

    def mixed(a, b):
        total = tf.reduce_sum(a, axis=1) + tf.cast(b, tf.float32)
        return {"total": total, "a": a, "b": b}

    def apart(a, b):
        return {"a": a, "b": tf.concat([b, b], 0)}

    a = tf.TensorSpec((None, 2), tf.float32, name="a")
    b = tf.TensorSpec((None,), tf.int32, name="b")
    save(path, serving_default=(mixed, a, b), apart=(apart, a, b))


def save_types(path):
    """A signature for each type: x -> the same, named after the type."""
    names = "bool int32 int64 float16 float32 float64"
    functions = {
        name: (lambda x: {"y": tf.identity(x)}, tf.TensorSpec(None, tf.as_dtype(name), name="x"))
        for name in [*names.split(), "string"]
    }
    functions["half_out"] = (
        lambda x: {"y": tf.cast(x, tf.float16)},
        tf.TensorSpec(None, tf.float32, name="x"),
    )
    functions["scalar_out"] = (
        lambda x: {"y": tf.reduce_sum(x)},
        tf.TensorSpec(None, tf.float32, name="x"),
    )
    save(path, **functions)


SAVERS = {
    "affine": save_affine,
    "strings": save_strings,
    "many": save_many,
    "types": save_types,
}
