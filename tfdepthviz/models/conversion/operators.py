"""Operators of ONNX on tensors: arithmetic, activations, reductions, and moving of values."""

import keras
import numpy as np
from keras import ops

from tfdepthviz.utils.errors import InputError

# Types of ONNX by number. Half floats count as float32, to which their weights are widened as well.
TYPES = {2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool"}
FLOATS = (1, 10, 11, 16)


def _added(x, y):
    # Not ops.add, which takes (C, 1, 1) for a bias of the last axis where that has C values, too.
    return x + y


def _divided(x, y):
    return x / y if _is_float(x) else ops.floor_divide(x, y)


def _is_float(x):
    return "float" in keras.backend.standardize_dtype(x.dtype)


def _power(x, y):
    return ops.power(x, ops.cast(y, x.dtype))


def _leaky(x, alpha=0.01):
    return ops.where(x >= 0, x, alpha * x)


def _elu(x, alpha=1.0):
    # The exponential of a large number would make the gradient NaN.
    return ops.where(x > 0, x, alpha * (ops.exp(ops.minimum(x, 0)) - 1))


def _gelu(x, approximate="none"):
    return ops.gelu(x, approximate=approximate == "tanh")


def _hard_sigmoid(x, alpha=0.2, beta=0.5):
    return ops.clip(alpha * x + beta, 0, 1)


def _clip(x, low=None, high=None):
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


def _chained(operation):
    def several(first, *others):
        for other in others:
            first = operation(first, other)
        return first

    return several


def _mean(*tensors):
    return _chained(_added)(*tensors) / len(tensors)


# Each value of the result depends on the values at the same place alone. The arguments are tensors
# that broadcast, then attributes by name.
POINTWISE = {
    **{"Add": _added, "Sub": ops.subtract, "Mul": ops.multiply, "Div": _divided, "Pow": _power},
    **{"Max": _chained(ops.maximum), "Min": _chained(ops.minimum)},
    **{"Sum": _chained(_added), "Mean": _mean, "Mod": lambda x, y, fmod=0: ops.mod(x, y)},
    **{"Relu": ops.relu, "Sigmoid": ops.sigmoid, "Tanh": ops.tanh, "Softplus": ops.softplus},
    **{"Elu": _elu, "LeakyRelu": _leaky, "PRelu": _leaky, "Gelu": _gelu, "Clip": _clip},
    **{"HardSigmoid": _hard_sigmoid, "HardSwish": lambda x: x * _hard_sigmoid(x, 1 / 6)},
    **{"Softsign": lambda x: x / (1 + ops.abs(x)), "Mish": lambda x: x * ops.tanh(ops.softplus(x))},
    **{"Swish": lambda x, alpha=1.0: x * ops.sigmoid(alpha * x), "Erf": ops.erf},
    **{"Exp": ops.exp, "Log": ops.log, "Sqrt": ops.sqrt, "Reciprocal": lambda x: 1 / x},
    **{"Abs": ops.abs, "Neg": ops.negative, "Sign": ops.sign, "Sin": ops.sin, "Cos": ops.cos},
    **{"Tan": ops.tan, "Asin": ops.arcsin, "Acos": ops.arccos, "Atan": ops.arctan},
    **{"Sinh": ops.sinh, "Cosh": ops.cosh, "Floor": ops.floor, "Ceil": ops.ceil},
    **{"Round": ops.round, "IsNaN": ops.isnan, "Not": ops.logical_not, "And": ops.logical_and},
    **{"Or": ops.logical_or, "Xor": ops.logical_xor, "Where": ops.where, "Equal": ops.equal},
    **{"Less": ops.less, "LessOrEqual": ops.less_equal, "Greater": ops.greater},
    **{"GreaterOrEqual": ops.greater_equal, "IsInf": lambda x: ops.isinf(x)},
    **{"Identity": lambda x: x, "Dropout": lambda x, *_, seed=0, ratio=0.0: x},
}


def _cast(walk, x, *, to, saturate=1, round_mode="up"):
    if to not in TYPES and to not in FLOATS:
        raise InputError(f"Cast to ONNX's type {to}: expected floats, integers or bool")
    return ops.cast(x, walk.dtype if to in FLOATS else TYPES[to])


def _cast_like(walk, x, like, *, saturate=1, round_mode="up"):
    return ops.cast(x, like.dtype)


def _matmul(walk, x, y):
    return ops.matmul(walk.tensor(x), walk.tensor(y))


def _gemm(walk, a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):  # noqa: N803
    a, b = walk.tensor(a), walk.tensor(b)
    a, b = (ops.transpose(x) if flip else x for x, flip in ((a, transA), (b, transB)))
    product = ops.matmul(a, b) if alpha == 1 else alpha * ops.matmul(a, b)
    return product if c is None else product + (c if beta == 1 else beta * c)


def _einsum(walk, *tensors, equation):
    return ops.einsum(equation, *map(walk.tensor, tensors))


def _softmax(operation):
    def over_axis(walk, x, *, axis=None):
        if walk.opset >= 13:
            return operation(x, axis=-1 if axis is None else axis)
        # Until opset 12 the axis and all behind it are one.
        size = walk.size_of(x)
        axis = (1 if axis is None else axis) % len(size)
        flat = ops.reshape(x, walk.shape((*size[:axis], int(np.prod(size[axis:])))))
        return ops.reshape(operation(flat, axis=-1), walk.shape(size))

    return over_axis


def _cumsum(walk, x, axis, *, exclusive=0, reverse=0):
    axis = int(np.asarray(walk.numbers(axis)).reshape(()))
    y = ops.flip(x, axis) if reverse else x
    total = ops.cumsum(y, axis=axis)
    total = total - y if exclusive else total
    return ops.flip(total, axis) if reverse else total


def _gather_nd(walk, x, places, *, batch_dims=0):
    """Values at constant places of the first axes, or of those behind the batch's."""
    size, places = walk.size_of(x), np.asarray(walk.numbers(places))
    if batch_dims:
        raise InputError(f"GatherND with batch_dims={batch_dims}")
    first, count = size[: places.shape[-1]], places.shape[-1]
    places = np.where(places < 0, places + np.array(first), places)
    flat = ops.reshape(x, walk.shape((int(np.prod(first, dtype=object)), *size[count:])))
    return ops.take(flat, np.ravel_multi_index(np.moveaxis(places, -1, 0), first), axis=0)


def _reduction(operation):
    def reduced(walk, x, axes_input=None, *, axes=None, keepdims=1, noop_with_empty_axes=0):
        axes = axes if axes_input is None else walk.numbers(axes_input)
        if not axes and noop_with_empty_axes:
            return x
        axes = tuple(axes) if axes else tuple(range(len(walk.size_of(x))))
        return operation(x, axis=axes, keepdims=bool(keepdims))

    return reduced


def _norm(x, axis, keepdims):
    total = ops.sum(ops.square(x), axis=axis, keepdims=keepdims)
    # The gradient at zero is 0, as PyTorch's; a root's would make it NaN.
    is_zero = ops.equal(total, 0)
    return ops.where(is_zero, 0.0, ops.sqrt(ops.where(is_zero, 1.0, total)))


def _arg(operation):
    def place(walk, x, *, axis=0, keepdims=1, select_last_index=0):
        return ops.cast(operation(x, axis=axis, keepdims=bool(keepdims)), "int64")

    return place


def _reshape(walk, x, shape, *, allowzero=0):
    size = walk.size_of(x)
    shape = [size[i] if n == 0 and not allowzero else n for i, n in enumerate(walk.numbers(shape))]
    if -1 in shape:
        known = int(np.prod([n for n in shape if n != -1], dtype=object))
        shape[shape.index(-1)] = int(np.prod(size, dtype=object)) // max(1, known)
    return ops.reshape(x, walk.shape(shape))


def _flatten(walk, x, *, axis=1):
    size = walk.size_of(x)
    axis = axis % (len(size) + 1)
    parts = [int(np.prod(part, dtype=object)) for part in (size[:axis], size[axis:])]
    return ops.reshape(x, walk.shape(parts))


def _squeeze(walk, x, axes_input=None, *, axes=None):
    size = walk.size_of(x)
    axes = axes if axes_input is None else walk.numbers(axes_input)
    axes = [i for i, n in enumerate(size) if n == 1] if axes is None else axes
    dropped = {axis % len(size) for axis in axes}
    return ops.reshape(x, walk.shape([n for i, n in enumerate(size) if i not in dropped]))


def _unsqueeze(walk, x, axes_input=None, *, axes=None):
    shape = list(walk.size_of(x))
    axes = axes if axes_input is None else walk.numbers(axes_input)
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return ops.reshape(x, walk.shape(shape))


def _transpose(walk, x, *, perm=None):
    return ops.transpose(x, perm)


def _expand(walk, x, shape):
    size = np.broadcast_shapes(walk.size_of(x), tuple(walk.numbers(shape)))
    return ops.broadcast_to(x, walk.shape(size, inferred=False))


def _constant_of_shape(walk, shape, *, value=None):
    value = np.zeros(1, "float32") if value is None else walk.constant(value)
    size = walk.shape(walk.numbers(shape), inferred=False)
    return ops.broadcast_to(ops.convert_to_tensor(value.reshape(())), size)


def _tile(walk, x, repeats):
    return ops.tile(x, walk.numbers(repeats))


def _concat(walk, *tensors, axis):
    if axis == 1 and (last := walk.all_channels_last(tensors)):
        return walk.channels_first(ops.concatenate(last, axis=3))
    return ops.concatenate([walk.tensor(x) for x in tensors], axis=axis)


def _split(walk, x, sizes=None, *, axis=0, split=None, num_outputs=None):
    length = walk.size_of(x)[axis]
    if sizes is not None or split:
        sizes = split or walk.numbers(sizes)
    else:
        parts = num_outputs or walk.number_of_outputs
        each = -(-length // parts)
        sizes = [min(each, length - i * each) for i in range(parts)]
    return list(ops.split(x, [int(n) for n in np.cumsum(sizes)[:-1]], axis=axis))


def _slice(walk, x, starts, ends, axes=None, steps=None):
    size = walk.size_of(x)
    starts, ends = walk.numbers(starts), walk.numbers(ends)
    axes = range(len(starts)) if axes is None else walk.numbers(axes)
    steps = [1] * len(starts) if steps is None else walk.numbers(steps)
    index = [slice(None)] * len(size)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        length = size[axis]
        start, end, step = slice(start, end, step).indices(length)
        if (start, end, step) == (0, length, 1):
            continue  # of a batch, too, whose length is not known
        index[axis] = slice(start, None if end < 0 else end, step)
    return x[tuple(index)]


def _gather(walk, x, indices, *, axis=0):
    if isinstance(indices, np.ndarray):
        # TensorFlow counts no places from the end.
        indices = np.where(indices < 0, indices + walk.size_of(x)[axis], indices)
        if indices.ndim == 0:
            index = [slice(None)] * len(walk.size_of(x))
            index[axis] = int(indices)
            return x[tuple(index)]
    return ops.take(x, indices, axis=axis)


def _gather_elements(walk, x, indices, *, axis=0):
    return ops.take_along_axis(x, indices, axis=axis)


def _scatter_nd(walk, x, places, updates, *, reduction="none"):
    """Rows of the first axis replaced, at constant places."""
    rows = np.asarray(walk.numbers(places))
    if reduction != "none" or rows.ndim != 2 or rows.shape[1] != 1:
        raise InputError(f"ScatterND at places {rows.shape} with reduction {reduction!r}")
    number = walk.size_of(x)[0]
    index = np.arange(number)
    index[rows[:, 0]] = number + np.arange(len(rows))
    return ops.take(ops.concatenate([x, walk.tensor(updates)], axis=0), index, axis=0)


def _depth_to_space(walk, x, *, blocksize, mode="DCR"):
    batch, channels, height, width = walk.size_of(x)
    b, c = blocksize, channels // blocksize**2
    if mode == "DCR":
        parts = ops.reshape(x, walk.shape((batch, b, b, c, height, width)))
        parts = ops.transpose(parts, (0, 3, 4, 1, 5, 2))
    else:
        parts = ops.reshape(x, walk.shape((batch, c, b, b, height, width)))
        parts = ops.transpose(parts, (0, 1, 4, 2, 5, 3))
    return ops.reshape(parts, walk.shape((batch, c, height * b, width * b)))


def _sequence_parts(walk, x, sizes=None, *, axis=0, keepdims=1):
    sizes = [1] * walk.size_of(x)[axis] if sizes is None else walk.numbers(sizes)
    if len(sizes) == 1 and sizes[0] < (length := walk.size_of(x)[axis]):
        sizes = [min(sizes[0], length - i) for i in range(0, length, sizes[0])]
    return [_split(walk, x, split=sizes, axis=axis)]


def _joined_sequence(walk, tensors, *, axis, new_axis=0):
    return (ops.stack if new_axis else ops.concatenate)(tensors, axis=axis)


# Operators that move or combine values. The first argument is the walk through the graph.
OPERATORS = {
    **{"Cast": _cast, "CastLike": _cast_like, "MatMul": _matmul, "Gemm": _gemm, "Einsum": _einsum},
    **{"Softmax": _softmax(ops.softmax), "LogSoftmax": _softmax(ops.log_softmax)},
    **{"CumSum": _cumsum, "ReduceLogSumExp": _reduction(ops.logsumexp)},
    **{"ReduceMean": _reduction(ops.mean), "ReduceSum": _reduction(ops.sum)},
    **{"ReduceMax": _reduction(ops.max), "ReduceMin": _reduction(ops.min)},
    **{"ReduceProd": _reduction(ops.prod), "ReduceL2": _reduction(_norm)},
    **{"ArgMax": _arg(ops.argmax), "ArgMin": _arg(ops.argmin)},
    **{"Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze},
    **{"Transpose": _transpose, "Expand": _expand, "Tile": _tile, "Concat": _concat},
    **{"ConstantOfShape": _constant_of_shape, "Split": _split, "Slice": _slice},
    **{"Gather": _gather, "GatherElements": _gather_elements, "GatherND": _gather_nd},
    **{"ScatterND": _scatter_nd, "DepthToSpace": _depth_to_space},
    **{"SplitToSequence": _sequence_parts},
    "SequenceAt": lambda walk, sequence, place: sequence[walk.numbers(place)],
    "SequenceConstruct": lambda walk, *tensors: [list(tensors)],
    "ConcatFromSequence": _joined_sequence,
}
