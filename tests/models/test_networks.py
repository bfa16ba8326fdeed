"""Registered networks: sizes, layer names, and refused arguments."""

import functools
import re
import types

import numpy as np
import pytest

from tfdepthviz.models import DEPTH_NETS, MASK_NETS, build_depth_net, build_mask_net
from tfdepthviz.utils.errors import InputError

BUILDERS = [(build_depth_net, name) for name in DEPTH_NETS]
BUILDERS += [(build_mask_net, name) for name in MASK_NETS]


@functools.cache
def described(build, name, size):
    """Facts about a network that the tests below need; the networks are too big to keep."""
    model = build(name, (*size, 3))
    return types.SimpleNamespace(
        parameters=sum(int(np.prod(variable.shape)) for variable in model.trainable_variables),
        output_shape=model.output_shape,
        layers=[(type(layer).__name__.lower(), layer.name) for layer in model.layers],
    )


@pytest.mark.parametrize(
    "build, name, count, output_size",
    [  # Counts and sizes for 228x304: the papers' tables and the reference implementations.
        (build_depth_net, "fcrn_resnet50", 63_572_737, (128, 160)),
        (build_depth_net, "hu_resnet50", 67_569_473, (114, 152)),
        (build_depth_net, "hu_densenet161", 77_101_151, (114, 152)),
        (build_depth_net, "hu_senet154", 157_101_425, (114, 152)),
        (build_mask_net, "drn_d_22", 25_259_761, (228, 304)),
    ],
)
def test_parameters_and_output_size(build, name, count, output_size):
    net = described(build, name, (228, 304))
    assert net.parameters == count
    assert net.output_shape == (None, *output_size, 1)


@pytest.mark.parametrize(
    "build, name, output_size",
    [  # By hand: 57x83 halves to 29x42, 15x21, 8x11, 4x6, 2x3.
        (build_depth_net, "fcrn_resnet50", (16 * 2, 16 * 3)),
        (build_depth_net, "hu_resnet50", (2 * 15, 2 * 21)),
        (build_depth_net, "hu_densenet161", (2 * 15, 2 * 21)),
        (build_depth_net, "hu_senet154", (2 * 14, 2 * 21)),  # its pooling rounds 29 down
        (build_depth_net, "compact", (29, 42)),
        (build_mask_net, "drn_d_22", (57, 83)),
        (build_mask_net, "compact", (57, 83)),
    ],
)
def test_odd_sizes(build, name, output_size):
    assert described(build, name, (57, 83)).output_shape == (None, *output_size, 1)


def test_compact_pair_is_small():
    assert described(build_depth_net, "compact", (57, 83)).parameters <= 2_000_000
    assert described(build_mask_net, "compact", (57, 83)).parameters <= 2_000_000


@pytest.mark.parametrize("build, name", BUILDERS)
def test_layer_names(build, name):
    layers = described(build, name, (57, 83)).layers
    assert len({name for _, name in layers}) == len(layers)
    for kind, name in layers:
        # Keras calls a layer without a name after its class: conv2d, conv2d_3.
        assert not re.fullmatch(rf"{kind}\d*", name.replace("_", "")), name


def test_range_and_size_of_a_mask():
    image = 100 * np.random.default_rng(0).normal(size=(1, 37, 50, 3)).astype("float32")
    mask = build_mask_net("compact", (37, 50, 3)).predict_on_batch(image)
    assert mask.shape == (1, 37, 50, 1)
    assert 0 <= mask.min() < mask.max() <= 1


@pytest.mark.parametrize(
    "build, known", [(build_depth_net, DEPTH_NETS), (build_mask_net, MASK_NETS)]
)
def test_unknown_name(build, known):
    with pytest.raises(InputError, match=f"{', '.join(known)}.*Received: 'resnet'"):
        build("resnet")


@pytest.mark.parametrize("shape", [(64, 96), (64, 96, 1), (0, 96, 3), (64, None, 3), (64.0, 96, 3)])
def test_impossible_shape(shape):
    with pytest.raises(InputError, match="input_shape of depth network compact"):
        build_depth_net("compact", shape)


def test_image_too_small():
    with pytest.raises(InputError, match="at least 29x29 pixels. Received: 28x96"):
        build_depth_net("hu_densenet161", (28, 96, 3))
