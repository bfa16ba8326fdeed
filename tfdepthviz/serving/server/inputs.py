"""Checks of a predict request against its signature, before any image is decoded.

Each fault is one sentence that names the input, what was received and what would be right.
"""

import dataclasses
import math

import tensorflow as tf

from tfdepthviz.data.image_sizes import stated_size
from tfdepthviz.serving.server.status import invalid

# Inputs of this name hold image files; others may hold any text.
IMAGE_FILES = "image_bytes"


@dataclasses.dataclass(frozen=True)
class Call:
    """One checked call of a signature; the pixels of its images decide how long it takes."""

    signature: str
    inputs: dict
    outputs: tuple
    pixels: int


def find_signature(model, name):
    """(name, SignatureDef); an empty name means serving_default."""
    name = name or "serving_default"
    if name not in model.signatures:
        known = ", ".join(sorted(model.signatures))
        raise invalid(f'signature "{name}" not found; the model has {known or "none"}')
    return name, model.signatures[name]


def checked(name, signature, inputs, limits, output_filter=()):
    """The `Call` of a request: name and signature, alias -> array, and outputs to return."""
    if inputs.keys() != signature.inputs.keys():
        expected, sent = (", ".join(sorted(n)) or "none" for n in (signature.inputs, inputs))
        raise invalid(f'signature "{name}" takes the inputs {expected}. Received: {sent}')
    for alias, array in inputs.items():
        _check_type(alias, array, signature.inputs[alias])
        _check_shape(alias, array, signature.inputs[alias])
    unknown = sorted(set(output_filter) - set(signature.outputs))
    if unknown or len(set(output_filter)) < len(output_filter):
        known, sent = ", ".join(sorted(signature.outputs)), ", ".join(output_filter)
        raise invalid(f"output_filter must name outputs of {known}, each once. Received: {sent}")
    outputs = tuple(sorted(output_filter or signature.outputs))
    return Call(name, inputs, outputs, check_images(inputs, limits))


def check_images(inputs, limits):
    """Pixels of a request's images, by their shapes and headers; all are in memory at once."""
    pixels = 0
    for alias, array in inputs.items():
        if array.dtype == object:
            sizes = _sizes_of_files(alias, array)
        else:
            sizes = [array.shape[1:3]] * len(array) if array.ndim == 4 else []
        most, count = limits.max_images, len(sizes)
        if count > most:
            raise invalid(
                f"{alias} must hold at most {most} images (max_images). Received: {count}"
            )
        pixels += sum(height * width for height, width in sizes)
        if pixels > limits.max_image_pixels:
            height, width = max(sizes, key=math.prod)
            raise invalid(
                f"{alias} must have at most {limits.max_image_pixels} pixels (max_image_pixels). "
                f"Received: {pixels} or more, the largest image of {width}x{height} pixels"
            )
    return pixels


def named_by_place(call, error):
    """A failed run's error, with the place of the file that TensorFlow cannot decode."""
    if error.code != "INVALID_ARGUMENT" or IMAGE_FILES not in call.inputs:
        return error
    for place, contents in enumerate(call.inputs[IMAGE_FILES]):
        try:
            tf.io.decode_image(contents, channels=3, expand_animations=False)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return invalid(f"{IMAGE_FILES}[{place}]: cannot be decoded: it is damaged or cut off")
    return error


def _sizes_of_files(alias, array):
    """(height, width) of each image file among the values."""
    sizes = []
    for place, contents in enumerate(array.ravel()):
        size = stated_size(contents)
        if size and min(size) > 0:
            sizes.append(size[::-1])
        elif alias == IMAGE_FILES:
            raise invalid(f"{alias}[{place}]: is no JPEG or PNG file whose size can be read")
    return sizes


def _check_type(alias, array, info):
    received = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    if received.as_datatype_enum != info.dtype:
        expected = tf.as_dtype(info.dtype).name
        raise invalid(f"{alias} must be of type {expected}. Received: {received.name}")


def _check_shape(alias, array, info):
    if info.tensor_shape.unknown_rank:
        return
    expected = [dim.size for dim in info.tensor_shape.dim]
    pairs = zip(expected, array.shape, strict=False)
    if len(expected) == array.ndim and all(size in (-1, number) for size, number in pairs):
        return
    shape = ", ".join("any" if size < 0 else str(size) for size in expected)
    hint = ""
    if array.ndim == len(expected) - 1:
        hint = "; the first axis, of the batch, is missing: put it into a list"
    elif len(expected) == 4 and array.ndim == 4 and expected[3] == 3:
        hint = "; the last axis must be red, green and blue"
    raise invalid(
        f"{alias} must have the shape ({shape}{',' if len(expected) == 1 else ''}). "
        f"Received: {array.shape}{hint}"
    )
