"""Weights through files, and files that do not fit."""

import numpy as np
import pytest

from tfdepthviz.errors import InputError
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.models.mask_net import mask_net
from tfdepthviz.models.weight_files import load_weights


@pytest.fixture(scope="module")
def net():
    return build_mask_net("compact", (32, 48, 3))


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_weights_from_a_file_also_for_another_image_size(ending, net, tmp_path):
    path = tmp_path / f"mask{ending}"
    net.save_weights(path) if ending == ".weights.h5" else net.save(path)
    loaded = build_mask_net("compact", (24, 40, 3), weights=path)
    for got, expected in zip(loaded.get_weights(), net.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_weights_of_another_network_are_refused_by_layer_name(ending, net, tmp_path):
    path = tmp_path / f"mask{ending}"
    net.save_weights(path) if ending == ".weights.h5" else net.save(path)
    with pytest.raises(InputError, match=r"of compact: .*another network; it lacks \w+.* D_conv"):
        build_depth_net("compact", (32, 48, 3), weights=path)


def test_weights_of_another_width_are_refused(tmp_path):
    path = tmp_path / "mask.weights.h5"
    wide, narrow = (
        mask_net((32, 48, 3), channels=(n,) * 8, decoder_channels=(n, n, n)) for n in (8, 4)
    )
    narrow.save_weights(path)
    with pytest.raises(InputError, match="does not fit"):
        load_weights(wide, path)


@pytest.mark.parametrize(
    "name, content, complaint",
    [
        ("missing.weights.h5", None, "no such file"),
        ("missing.keras", None, "no such file"),
        ("damaged.weights.h5", b"not HDF5", "is damaged"),
        ("damaged.keras", b"not a zip file", "is damaged"),
        ("weights.ckpt", b"", "expected a .weights.h5 or .keras file"),
    ],
)
def test_a_file_without_weights_is_named_in_one_line(name, content, complaint, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=complaint) as caught:
        build_depth_net("compact", (32, 48, 3), weights=path)
    message = str(caught.value)
    assert str(path) in message and "compact" in message and "\n" not in message
