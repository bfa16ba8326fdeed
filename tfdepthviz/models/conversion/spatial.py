"""Operators of ONNX on maps: convolutions, pooling, resizing, padding and normalisation.

They compute with the channels last, as TensorFlow's CPU kernels must.
"""

import itertools

import numpy as np
from keras import ops

from tfdepthviz.models.conversion.resampling import matrices
from tfdepthviz.models.layers.grouped_conv import convolved_in_parts
from tfdepthviz.models.layers.resize import resized_by
from tfdepthviz.utils.errors import InputError

SPATIAL = {}


def _operator(function):
    SPATIAL[function.__name__] = function
    return function


def _pads(auto_pad, pads, size, kernel, strides, dilations):
    """[(before, after), ...] of height and width."""
    if auto_pad in ("NOTSET", "VALID"):
        pads = [0] * 4 if pads is None or auto_pad == "VALID" else pads
        return list(zip(pads[:2], pads[2:], strict=True))
    result = []
    for n, k, stride, dilation in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (-(-n // stride) - 1) * stride + dilation * (k - 1) + 1 - n)
        small = total // 2
        result.append(
            (small, total - small) if auto_pad == "SAME_UPPER" else (total - small, small)
        )
    return result


def _padded(x, pads, value=0.0):
    """A map with its channels last; negative pads cut."""
    pads = [tuple(map(int, p)) for p in pads]
    if any(n > 0 for n in itertools.chain(*pads)):
        more = [(0, 0), *((max(0, a), max(0, b)) for a, b in pads), (0, 0)]
        x = ops.pad(x, more, constant_values=value) if value else ops.pad(x, more)
    if any(n < 0 for n in itertools.chain(*pads)):
        rows, columns = (slice(max(0, -a), min(0, b) or None) for a, b in pads)
        x = x[:, rows, columns]
    return x


def _check_2d(size):
    """Refuses maps of other axes than (B, C, H, W), by the size of their kernel."""
    if len(size) != 2:
        raise InputError(
            f"expected maps of height and width. Received: a kernel of {len(size)} axes"
        )


@_operator
def Conv(  # noqa: N802, the operator's name
    walk, x, weights, bias=None, *,
    auto_pad="NOTSET", dilations=(1, 1), group=1, kernel_shape=None, pads=None, strides=(1, 1),
):  # fmt: skip
    _check_2d(walk.size_of(weights)[2:])
    kernel = walk.transposed(weights, (2, 3, 1, 0))
    height, width, _, filters = kernel.shape
    x = walk.channels_last(x)
    pads = _pads(auto_pad, pads, x.shape[1:3], (height, width), strides, dilations)
    strides, dilations = tuple(strides), tuple(dilations)
    centred = [(d * (k - 1) / 2,) * 2 for k, d in zip((height, width), dilations, strict=True)]
    same = strides == (1, 1) and pads == centred
    x = x if same else _padded(x, pads)
    if (height, width) == (1, 1) and strides != (1, 1):
        # oneDNN's gradient of this kernel with a stride corrupts memory (TensorFlow 2.21).
        x, strides = x[:, :: strides[0], :: strides[1]], (1, 1)
    steps = (1, 1)
    if strides != (1, 1) and dilations != (1, 1):  # Keras does not take both
        strides, steps = (1, 1), strides
    options = {
        "strides": strides if strides[0] != strides[1] else strides[0],
        "padding": "same" if same else "valid",
        "data_format": "channels_last",
        "dilation_rate": dilations,
    }
    channels = x.shape[-1]
    if group == 1:
        y = ops.conv(x, kernel, **options)
    elif group == channels:
        kernel = ops.reshape(kernel, (height, width, channels, filters // channels))
        y = ops.depthwise_conv(x, kernel, **options)
    else:
        y = convolved_in_parts(x, kernel, group, lambda a, b: ops.conv(a, b, **options))
    if steps != (1, 1):
        y = y[:, :: steps[0], :: steps[1]]
    return walk.channels_first(y if bias is None else y + walk.tensor(bias))


@_operator
def ConvTranspose(  # noqa: N802
    walk, x, weights, bias=None, *,
    auto_pad="NOTSET", dilations=(1, 1), group=1, kernel_shape=None, output_padding=(0, 0),
    output_shape=None, pads=None, strides=(1, 1),
):  # fmt: skip
    if auto_pad != "NOTSET" or output_shape or tuple(dilations) != (1, 1):
        raise InputError("ConvTranspose with auto_pad, output_shape or dilations")
    _check_2d(walk.size_of(weights)[2:])
    kernel = walk.transposed(weights, (2, 3, 1, 0))
    x = walk.channels_last(x)
    size = x.shape[1:3]
    parts = zip(
        *(ops.split(v, group, axis=-1) if group > 1 else [v] for v in (x, kernel)), strict=True
    )
    strides = tuple(strides)
    y = [
        ops.conv_transpose(a, b, strides, padding="valid", data_format="channels_last")
        for a, b in parts
    ]
    y = y[0] if group == 1 else ops.concatenate(y, axis=-1)
    pads = _pads("NOTSET", pads, size, kernel.shape[:2], strides, dilations)
    cut = []
    for i in range(2):
        wanted = (size[i] - 1) * strides[i] + kernel.shape[i] - sum(pads[i]) + output_padding[i]
        cut.append((-pads[i][0], wanted + pads[i][0] - y.shape[i + 1]))
    y = _padded(y, cut)
    return walk.channels_first(y if bias is None else y + walk.tensor(bias))


def _pool_pads(x, auto_pad, ceil_mode, kernel, pads, strides):
    pads = _pads(auto_pad, pads, x.shape[1:3], kernel, strides, (1, 1))
    if not ceil_mode:
        return pads
    grown = []
    for (before, after), n, k, stride in zip(pads, x.shape[1:3], kernel, strides, strict=True):
        windows = -(-(n + before + after - k) // stride) + 1
        if (windows - 1) * stride >= n + before:
            windows -= 1  # no window may start behind the map
        grown.append((before, max(after, (windows - 1) * stride + k - n - before)))
    return grown


@_operator
def MaxPool(  # noqa: N802
    walk, x, *, kernel_shape,
    auto_pad="NOTSET", ceil_mode=0, dilations=(1, 1), pads=None, storage_order=0, strides=None,
):  # fmt: skip
    _check_2d(kernel_shape)
    if tuple(dilations) != (1, 1):
        raise InputError("MaxPool with dilations")
    strides = tuple(strides or (1, 1))
    x = walk.channels_last(x)
    pads = _pool_pads(x, auto_pad, ceil_mode, kernel_shape, pads, strides)
    x = _padded(x, pads, float(np.finfo(walk.dtype).min))
    y = ops.max_pool(x, tuple(kernel_shape), strides, "valid", data_format="channels_last")
    return walk.channels_first(y)


@_operator
def AveragePool(  # noqa: N802
    walk, x, *, kernel_shape,
    auto_pad="NOTSET", ceil_mode=0, count_include_pad=0, dilations=(1, 1), pads=None, strides=None,
):  # fmt: skip
    _check_2d(kernel_shape)
    if tuple(dilations) != (1, 1):
        raise InputError("AveragePool with dilations")
    strides = tuple(strides or (1, 1))
    x = walk.channels_last(x)
    declared = _pads(auto_pad, pads, x.shape[1:3], kernel_shape, strides, (1, 1))
    grown = _pool_pads(x, auto_pad, ceil_mode, kernel_shape, pads, strides)
    counted = np.ones((1, *x.shape[1:3], 1), walk.dtype)
    if count_include_pad:
        counted = np.pad(counted, [(0, 0), *declared, (0, 0)], constant_values=1)
        rest = [(a - c, b - d) for (a, b), (c, d) in zip(grown, declared, strict=True)]
    else:
        rest = grown
    counted = np.pad(counted, [(0, 0), *rest, (0, 0)])
    pool = (tuple(kernel_shape), strides, "valid", "channels_last")
    y = ops.average_pool(_padded(x, grown), *pool)
    if not counted.all():
        y = y / ops.average_pool(ops.convert_to_tensor(counted), *pool)
    return walk.channels_first(y)


@_operator
def GlobalAveragePool(walk, x):  # noqa: N802
    return ops.mean(x, axis=(2, 3), keepdims=True)


@_operator
def GlobalMaxPool(walk, x):  # noqa: N802
    return ops.max(x, axis=(2, 3), keepdims=True)


@_operator
def Resize(  # noqa: N802
    walk, x, roi=None, scales=None, sizes=None, *,
    mode="nearest", coordinate_transformation_mode="half_pixel", axes=None,
    keep_aspect_ratio_policy="stretch", extrapolation_value=0.0, **how,
):  # fmt: skip
    size = walk.size_of(x)
    axes = list(range(len(size)) if axes is None else axes)
    factors, wanted = [1.0] * len(size), list(size)
    if scales is not None and len(walk.numbers(scales, float)):
        for axis, factor in zip(axes, walk.numbers(scales, float), strict=True):
            factors[axis] = factor
            wanted[axis] = size[axis] if factor == 1 else int(np.floor(size[axis] * factor))
    else:
        for axis, n in zip(axes, walk.numbers(sizes), strict=True):
            wanted[axis], factors[axis] = n, n / size[axis]
    if len(size) != 4 or wanted[1] != size[1] or keep_aspect_ratio_policy != "stretch":
        raise InputError(f"Resize of {size} to {tuple(wanted)}: expected height and width alone")
    rows, columns = matrices(
        wanted[2:], size[2:], mode, coordinate_transformation_mode, factors[2:], **how
    )
    return walk.channels_first(resized_by(walk.channels_last(x), rows, columns))


@_operator
def Pad(walk, x, pads, value=None, axes=None, *, mode="constant"):  # noqa: N802
    size = walk.size_of(x)
    axes = range(len(size)) if axes is None else walk.numbers(axes)
    numbers = walk.numbers(pads)
    each = [(0, 0)] * len(size)
    half = len(numbers) // 2
    for axis, before, after in zip(axes, numbers[:half], numbers[half:], strict=True):
        each[axis] = (before, after)
    if len(size) == 4 and each[:2] == [(0, 0)] * 2:
        x = walk.channels_last(x)
        if mode == "constant":
            number = 0.0 if value is None else float(np.asarray(value).reshape(()))
            return walk.channels_first(_padded(x, each[2:], number))
        if mode == "reflect" and min(min(pair) for pair in each) >= 0:
            return walk.channels_first(ops.pad(x, [(0, 0), *each[2:], (0, 0)], mode="reflect"))
        rows, columns = (
            np.pad(np.eye(n), [pair, (0, 0)], mode=mode)
            for n, pair in zip(size[2:], each[2:], strict=True)
        )
        return walk.channels_first(resized_by(x, rows, columns))
    if mode != "constant" or min(min(pair) for pair in each) < 0:
        raise InputError(f"Pad by {each} with mode {mode!r}")
    number = 0 if value is None else np.asarray(value).reshape(())[()]
    return ops.pad(x, each, constant_values=number)


@_operator
def BatchNormalization(walk, x, scale, offset, mean, variance, *, epsilon=1e-5, **_):  # noqa: N802
    factor = scale / np.sqrt(variance + epsilon)
    shape = (-1, *[1] * (len(walk.size_of(x)) - 2))
    if last := walk.all_channels_last([x]):
        return walk.channels_first(last[0] * walk.tensor(factor) + (offset - mean * factor))
    return x * factor.reshape(shape) + (offset - mean * factor).reshape(shape)


@_operator
def LayerNormalization(  # noqa: N802
    walk, x, scale, offset=None, *, axis=-1, epsilon=1e-5, stash_type=1
):
    axes = tuple(range(axis % len(walk.size_of(x)), len(walk.size_of(x))))
    y = _normalised(x, axes, epsilon) * walk.tensor(scale)
    return y if offset is None else y + walk.tensor(offset)


@_operator
def InstanceNormalization(walk, x, scale, offset, *, epsilon=1e-5):  # noqa: N802
    rank = len(walk.size_of(x))
    shape = (-1, *[1] * (rank - 2))
    y = _normalised(x, tuple(range(2, rank)), epsilon)
    return y * ops.reshape(walk.tensor(scale), shape) + ops.reshape(walk.tensor(offset), shape)


@_operator
def GroupNormalization(  # noqa: N802
    walk, x, scale, offset, *, num_groups, epsilon=1e-5, stash_type=1
):
    size = walk.size_of(x)
    parts = ops.reshape(x, walk.shape((size[0], num_groups, -1)))
    y = ops.reshape(_normalised(parts, (2,), epsilon), walk.shape(size))
    rest = [1] * (len(size) - 2)
    scale, offset = walk.tensor(scale), walk.tensor(offset)
    if walk.opset < 21:  # one number for each group, not for each channel
        scale, offset = (ops.repeat(v, size[1] // num_groups) for v in (scale, offset))
    return y * ops.reshape(scale, (-1, *rest)) + ops.reshape(offset, (-1, *rest))


def _normalised(x, axes, epsilon):
    centred = x - ops.mean(x, axis=axes, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    return centred * ops.rsqrt(variance + epsilon)
