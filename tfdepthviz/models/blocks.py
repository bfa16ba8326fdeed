"""Building blocks that several networks share: functions (x, ..., *, name) -> x.

A block called `name` makes layers `name_conv`, `name_bn` and so on. Porting relies on these names.
"""

import functools

import keras
from keras import layers

from tfdepthviz.models.layers import (
    AlignedResize,
    BatchNormalization,
    GroupedConv2D,
    conv_cost,
    resized_conv,
)


def output_dtype():
    """Type of a network's last layers: full precision, also under a mixed policy.

    Returns:
      "float32" under float32, mixed_bfloat16 and mixed_float16; "float64" under float64.
    """
    return keras.config.dtype_policy().variable_dtype


def conv_bn(
    x,
    filters,
    kernel_size,
    *,
    name,
    strides=1,
    dilation_rate=1,
    groups=1,
    activation="relu",
    use_bias=False,
    epsilon=1e-5,
    momentum=0.9,
    resized_to=None,
):
    """Convolution, batch normalisation and (unless None) an activation.

    Zero padding is dilation * (kernel_size - 1) // 2 on all four sides, as in PyTorch; "same" pads
    otherwise as soon as there is a stride.

    Args:
      x: (B, H, W, C).
      kernel_size: odd integer.
      groups: number of groups of channels; each output reads the inputs of its own group alone.
      momentum: share of the old running statistics that is kept (PyTorch's 0.1 is 0.9 here).
      resized_to: (H, W) to which x is resized first, with aligned corners; None: x as it is.
    Returns:
      (B, ceil(H / strides), ceil(W / strides), filters).
    """
    padding = "same"
    if strides > 1:
        padding = "valid"
        margin = dilation_rate * (kernel_size - 1) // 2
        if margin:
            x = layers.ZeroPadding2D(margin, name=f"{name}_pad")(x)
    convolution = layers.Conv2D if groups == 1 else GroupedConv2D
    if resized_to is not None:
        convolution = functools.partial(resized_conv.Conv2D, size=resized_to)
    x = convolution(
        filters,
        kernel_size,
        strides=strides,
        dilation_rate=dilation_rate,
        groups=groups,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def up_projection(x, filters, size, *, name):
    """Resize with aligned corners, then a residual pair of convolutions.

    u = resize(x);  ReLU(BN(conv3(ReLU(BN(conv5(u))))) + BN(conv5(u)))

    Where that is cheaper, the convolutions of u are computed from x, with the same weights.

    Args:
      x: (B, h, w, C).
      size: (H, W) of the output in pixels.
    Returns:
      (B, H, W, filters).
    Source: Hu et al. 2019 (WACV), figure 3; the reference's `_UpProjection`. Differs: nothing.
    """
    resized_to = None
    if conv_cost.mixing_first_pays(x.shape[1:], size, filters, 5):
        # Takes the place of the resize: weight files know layers by their order.
        x = layers.Identity(name=f"{name}_resize")(x)
        resized_to = size
    else:
        x = AlignedResize(size, name=f"{name}_resize")(x)
    main = conv_bn(x, filters, 5, name=f"{name}_1", resized_to=resized_to)
    main = conv_bn(main, filters, 3, name=f"{name}_1_2", activation=None)
    side = conv_bn(x, filters, 5, name=f"{name}_2", activation=None, resized_to=resized_to)
    x = layers.Add(name=f"{name}_add")([main, side])
    return layers.Activation("relu", name=f"{name}_relu")(x)
