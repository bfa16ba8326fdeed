"""Scores of a mask network: the numbers before its sigmoid, by which it ranks the pixels."""

import keras

from tfdepthviz.utils.errors import InputError


def ends_in_sigmoid(mask_net):
    """Whether the last layer of G is a sigmoid Activation, so that it has scores."""
    last = mask_net.layers[-1]
    is_activation = isinstance(last, keras.layers.Activation)
    return is_activation and last.activation is keras.activations.sigmoid


def scores_net(mask_net):
    """The network up to its last activation; it shares all layers with `mask_net`.

    Args:
      mask_net: G, a functional keras.Model whose last layer is a sigmoid Activation, as all of
        `models.MASK_NETS` have.
    Returns:
      keras.Model, (B, H, W, 3) -> (B, H, W, 1), any number; sigmoid(scores) = G's mask.
    Raises:
      InputError: the last layer is another one.
    Example:
      mask = top_share_mask(scores_net(mask_net)(image), [0.05])
    """
    last = mask_net.layers[-1]
    if not ends_in_sigmoid(mask_net):
        raise InputError(
            f"{mask_net.name}: to rank pixels, the last layer must be a sigmoid Activation. "
            f"Received: {type(last).__name__}"
        )
    return keras.Model(mask_net.input, last.input, name=f"{mask_net.name}_scores")
