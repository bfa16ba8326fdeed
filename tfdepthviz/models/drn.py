"""DRN-D, a dilated residual network, as an encoder: fine maps, no classifier."""

from keras import layers

from tfdepthviz.models.blocks import conv_bn

# (kind, stride, dilation) of stages 1 to 8; stage 0 is the 7x7 stem.
STAGES = (
    ("plain", 1, 1),
    ("plain", 2, 1),
    ("residual", 2, 1),
    ("residual", 2, 1),
    ("residual", 1, 2),
    ("residual", 1, 4),
    ("plain", 1, 2),
    ("plain", 1, 1),
)


def drn(
    x,
    *,
    channels=(16, 32, 64, 128, 256, 512, 512, 512),
    blocks=(1, 1, 2, 2, 2, 2, 1, 1),
    name="E",
):
    """The last feature map of every resolution; DRN-D-22 by default.

    Args:
      x: (B, H, W, 3) normalised image.
      channels: widths of stages 1 to 8; the stem is as wide as stage 1.
      blocks: number of convolutions or residual blocks in stages 1 to 8; 0 leaves a stage out.
    Returns:
      dict of stride1, stride2, stride4 and stride8 (sizes rounded up at every halving). The last
      stages dilate instead of striding.
    Source: Yu et al. 2017, DRN-D. Differs: no classifier.
    """
    x = conv_bn(x, channels[0], 7, name=f"{name}_base_0_0")
    maps, total = {"stride1": x}, 1
    plan = zip(STAGES, channels, blocks, strict=True)
    for stage, ((kind, stride, dilation), filters, count) in enumerate(plan, start=1):
        for block in range(count):
            first = stride if block == 0 else 1
            if kind == "plain":
                # 3 * block: the reference counts convolution, normalisation and activation.
                x = conv_bn(
                    x,
                    filters,
                    3,
                    strides=first,
                    dilation_rate=dilation,
                    name=f"{name}_base_{stage}_{3 * block}",
                )
            else:
                x = _basic_block(
                    x,
                    filters,
                    strides=first,
                    dilation=dilation,
                    name=f"{name}_base_{stage}_{block}",
                )
            total *= first
        maps[f"stride{total}"] = x
    return maps


def _basic_block(x, filters, *, strides, dilation, name):
    y = conv_bn(x, filters, 3, strides=strides, dilation_rate=dilation, name=f"{name}_1")
    y = conv_bn(y, filters, 3, dilation_rate=dilation, activation=None, name=f"{name}_2")
    if strides != 1 or x.shape[-1] != filters:
        x = conv_bn(x, filters, 1, strides=strides, activation=None, name=f"{name}_downsample")
    y = layers.Add(name=f"{name}_add")([y, x])
    return layers.Activation("relu", name=f"{name}_relu")(y)
