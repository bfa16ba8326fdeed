"""Terms of the composite loss, one value per image.

Every term takes depth maps (B, H, W, 1) in metres and returns (B,). Pixels that are not valid do
not count: they are replaced before any logarithm, root or division, so that gradients stay finite.
An image without a valid pixel gives 0.

By default a pixel is valid where the truth is finite and above 0. A network's output used as truth
has no missing pixels, but may have zeros and negative values: pass `everywhere(y_true)`.
For a trained network, and for N(I*M) compared with N(I):

    loss = losses.depth_term(y_true, y_pred) + losses.gradient_term(y_true, y_pred)
    loss = losses.depth_term(y_full, y_masked, losses.everywhere(y_full))
"""

from keras import ops

from tfdepthviz.metrics import same_shape_and_dtype, valid_depth
from tfdepthviz.utils.errors import InputError

OFFSET = 0.5


def total(terms):
    """Sum of terms, the same to the last bit in every process.

    TensorFlow orders the operands of longer sums by the names of its nodes. Its optimiser renames
    nodes, so two processes may round the same sum differently. A stack keeps its order.

    Args:
      terms: iterable of float tensors of one shape and type.
    Returns:
      their sum, of the same shape and type.
    """
    return ops.sum(ops.stack(list(terms)), axis=0)


def depth_term(y_true, y_pred, valid=None):
    """Mean of F(|e|) over valid pixels, F(x) = ln(x + 0.5), e = y_pred - y_true.

    Args:
      y_true: (B, H, W, 1) float, metres; 0 = missing.
      y_pred: (B, H, W, 1) float, metres.
      valid: (B, H, W, 1) bool, pixels that count; None: `metrics.valid_depth(y_true)`.
    Returns:
      (B,), dimensionless; at best ln 0.5.
    Raises:
      InputError: shapes differ (nothing is broadcast).
    Source: Hu et al. 2019, the reference's l_depth. Differs: nothing.
    Example:
      loss = losses.depth_term(y_true, y_pred)  # one value per image
    """
    error, valid = _masked_error(y_true, y_pred, valid)
    return _masked_mean(_log(ops.abs(error)), valid)


def gradient_term(y_true, y_pred, valid=None):
    """Mean of F(|dx e|) plus mean of F(|dy e|), dx and dy the 3x3 Sobel operators.

    Args, Returns, Raises: as for `depth_term`; at best 2 ln 0.5.
    A pixel counts where its whole 3x3 neighbourhood inside the image is valid.
    Source: Hu et al. 2019, the reference's l_grad. Differs: nothing where no depth is missing.
    """
    error, valid = _masked_error(y_true, y_pred, valid)
    dx, dy = sobel(error)
    valid = _eroded(valid)
    return _masked_mean(_log(ops.abs(dx)), valid) + _masked_mean(_log(ops.abs(dy)), valid)


def normal_term(y_true, y_pred, valid=None):
    """Mean of |1 - cos(n, n')|, n = (-dx y, -dy y, 1) the surface normals of both depth maps.

    Args, Returns, Raises: as for `depth_term`; at best 0.
    A pixel counts where its whole 3x3 neighbourhood inside the image is valid.
    Source: Hu et al. 2019, the reference's l_normal. Differs: nothing where no depth is missing.
    """
    y_true, y_pred, valid = _checked(y_true, y_pred, valid)
    true_dx, true_dy = sobel(ops.where(valid, y_true, 0.0))
    pred_dx, pred_dy = sobel(y_pred)
    valid = _eroded(valid)
    # Gradients across a hole are of the size of the depth itself; leave them out of the products.
    true_dx, true_dy = ops.where(valid, true_dx, 0.0), ops.where(valid, true_dy, 0.0)
    dot = true_dx * pred_dx + true_dy * pred_dy + 1.0
    lengths = ops.sqrt((true_dx**2 + true_dy**2 + 1.0) * (pred_dx**2 + pred_dy**2 + 1.0))
    return _masked_mean(ops.abs(1.0 - dot / lengths), valid)


def l1_term(y_true, y_pred, valid=None):
    """Mean of |e| over valid pixels, in metres.

    Args, Returns, Raises: as for `depth_term`.
    Source: Laina et al. 2016 as retrained by Hu et al. 2019.
    """
    error, valid = _masked_error(y_true, y_pred, valid)
    return _masked_mean(ops.abs(error), valid)


def l2_term(y_true, y_pred, valid=None):
    """Mean of e^2 over valid pixels, in square metres.

    Args, Returns, Raises: as for `depth_term`.
    Source: ours; the square of the RMSE that rates masks. Large errors weigh most.
    """
    error, valid = _masked_error(y_true, y_pred, valid)
    return _masked_mean(ops.square(error), valid)


def sparsity_term(mask):
    """Mean of |M|, the share of the image that a mask keeps.

    Args:
      mask: (B, H, W, 1) float in [0, 1].
    Returns:
      (B,), dimensionless.
    Source: Hu et al. 2019, equation (4).
    """
    return ops.mean(ops.abs(mask), axis=(1, 2, 3))


TERMS = {
    "l1": l1_term,
    "l2": l2_term,
    "depth": depth_term,
    "gradient": gradient_term,
    "normal": normal_term,
}


def check_terms(terms):
    """Checks names of loss terms.

    Args:
      terms: iterable of str.
    Returns:
      tuple of the names.
    Raises:
      InputError: there is none, or one is not in TERMS.
    """
    if not terms or any(term not in TERMS for term in terms):
        raise InputError(f"loss terms must be some of {', '.join(TERMS)}. Received: {tuple(terms)}")
    return tuple(terms)


def sobel(depth):
    """Unnormalised 3x3 Sobel derivatives with zero padding of 1.

    Args:
      depth: (B, H, W, 1) float.
    Returns:
      (dx, dy), each (B, H, W, 1); dx grows to the left and dy to the top, as in the reference.
    """
    padded = ops.pad(depth, ((0, 0), (1, 1), (1, 1), (0, 0)))
    smooth_y = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    smooth_x = padded[:, :, :-2] + 2.0 * padded[:, :, 1:-1] + padded[:, :, 2:]
    dx = smooth_y[:, :, :-2] - smooth_y[:, :, 2:]
    dy = smooth_x[:, :-2] - smooth_x[:, 2:]
    return dx, dy


def everywhere(y_true):
    """Marks every pixel as valid, for a truth that is a network's output.

    Args:
      y_true: (B, H, W, 1) float.
    Returns:
      (B, H, W, 1) bool, all True.
    """
    return ops.ones_like(y_true, dtype="bool")


def _checked(y_true, y_pred, valid):
    y_true, y_pred = same_shape_and_dtype(y_true, y_pred)
    if valid is None:
        valid = valid_depth(y_true)
    return y_true, y_pred, valid


def _masked_error(y_true, y_pred, valid):
    y_true, y_pred, valid = _checked(y_true, y_pred, valid)
    return ops.where(valid, y_pred - ops.where(valid, y_true, 0.0), 0.0), valid


def _masked_mean(values, valid):
    values = ops.where(valid, values, 0.0)
    count = ops.sum(ops.cast(valid, values.dtype), axis=(1, 2, 3))
    return ops.sum(values, axis=(1, 2, 3)) / ops.maximum(count, 1.0)


def _eroded(valid):
    """Valid pixels whose neighbours inside the image are all valid."""
    missing = ops.cast(ops.logical_not(valid), "float32")
    return ops.max_pool(missing, 3, strides=1, padding="same") < 0.5


def _log(x):
    return ops.log(x + OFFSET)
