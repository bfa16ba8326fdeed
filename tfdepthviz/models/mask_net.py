"""The mask generator G of Hu et al.: a mask of the pixels that the depth network needs."""

import keras
from keras import layers

from tfdepthviz.models.blocks import output_dtype, up_projection
from tfdepthviz.models.drn import drn
from tfdepthviz.models.layers import AlignedResize

# Training starts from an open mask: with a closed one, no gradient says which pixel to open.
OPEN_LOGIT = 1.0


def mask_net(
    input_shape,
    *,
    channels=(16, 32, 64, 128, 256, 512, 512, 512),
    blocks=(1, 1, 2, 2, 2, 2, 1, 1),
    decoder_channels=(256, 128, 64),
    name="drn_d_22",
):
    """Mask network G: dilated residual encoder, three up-projections, one sigmoid channel.

    Args:
      input_shape: (H, W, 3) of the normalised image.
      channels, blocks: widths and depths of the encoder's stages, see `drn`.
      decoder_channels: widths at 1/4, 1/2 and full resolution; if there are fewer, the logits are
        resized to full resolution.
    Returns:
      keras.Model, (B, H, W, 3) -> (B, H, W, 1), mask in [0, 1]; 1 keeps the pixel.
    Source: Hu, Zhang, Okatani 2019 (ICCV), section 3.3. Differs: nothing with the defaults.
    """
    image = keras.Input(input_shape, name="image")
    maps = drn(image, channels=channels, blocks=blocks, name="E")
    x = maps["stride8"]
    for i, filters in enumerate(decoder_channels, start=1):
        size = maps[f"stride{2 ** (3 - i)}"].shape[1:3]
        x = up_projection(x, filters, size, name=f"D_up{i}")
    x = layers.Conv2D(
        1,
        3,
        padding="same",
        bias_initializer=keras.initializers.Constant(OPEN_LOGIT),
        dtype=output_dtype(),
        name="D_conv",
    )(x)
    if len(decoder_channels) < 3:
        x = AlignedResize(input_shape[:2], dtype=output_dtype(), name="D_resize")(x)
    mask = layers.Activation("sigmoid", dtype=output_dtype(), name="mask")(x)
    return keras.Model(image, mask, name=name)
