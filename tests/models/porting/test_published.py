"""Published weights in networks, by name: outputs, encoders, and weights that do not fit."""

import re

import golden_recipe
import numpy as np
import pytest
import torch_writers

from tfdepthviz.models import build_depth_net, build_mask_net, porting
from tfdepthviz.models.porting.name_rules import encoder_name, plain
from tfdepthviz.utils.errors import InputError


def test_arrays_in_the_network(small_net, small_arrays):
    assert porting.port_weights(small_net, small_arrays) is small_net
    kernel, _ = small_net.get_layer("D_conv").get_weights()
    np.testing.assert_array_equal(kernel[2, 1, 1, 0], small_arrays["D.conv.weight"][0, 1, 2, 1])
    gamma, beta, mean, variance = small_net.get_layer("E_base_3_0_downsample_bn").get_weights()
    np.testing.assert_array_equal(gamma, small_arrays["E.base.3.0.downsample.1.weight"])
    np.testing.assert_array_equal(beta, small_arrays["E.base.3.0.downsample.1.bias"])
    np.testing.assert_array_equal(mean, small_arrays["E.base.3.0.downsample.1.running_mean"])
    np.testing.assert_array_equal(variance, small_arrays["E.base.3.0.downsample.1.running_var"])


def test_wrapped_model_with_batch_counters(small_net, small_arrays):
    porting.port_weights(small_net, small_arrays)
    expected = small_net.get_weights()
    wrapped = {f"module.{name}": array for name, array in small_arrays.items()}
    wrapped["module.E.base.0.1.num_batches_tracked"] = np.int64(7)
    porting.port_weights(small_net, wrapped)
    for got, value in zip(small_net.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(got, value)


def test_weights_that_do_not_fit(small_net, small_arrays):
    before = small_net.get_weights()
    del small_arrays["D.conv.bias"], small_arrays["D.up2.bn1_2.running_var"]
    small_arrays["fc.weight"] = np.zeros((5, 8), "float32")
    small_arrays["D.conv.weight"] = np.zeros((1, 8, 5, 5), "float32")
    with pytest.raises(ValueError) as caught:
        porting.port_weights(small_net, small_arrays)
    assert str(caught.value) == (
        "weights do not fit small; missing: D.up2.bn1_2.running_var, D.conv.bias; "
        "unused: fc.weight; misshapen: D.conv.weight (expected (1, 8, 3, 3), received (1, 8, 5, 5))"
    )
    for got, value in zip(small_net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, value)


def test_short_summary(small_net, small_arrays):
    del small_arrays["D.conv.bias"]
    others = {f"layer{i}.weight\n": np.zeros(3, "float32") for i in range(700)}
    with pytest.raises(porting.DoesNotFit) as caught:
        porting.port_weights(small_net, {**small_arrays, **others})
    assert caught.value.summary() == (
        r"1 missing (D.conv.bias); "
        r"700 unused (layer0.weight\n, layer1.weight\n, layer10.weight\n, ...)"
    )
    assert len(caught.value.entries["unused"]) == 700 and "\n" not in str(caught.value)


def test_one_weight_under_two_names(small_net, small_arrays):
    small_arrays["module.D.conv.bias"] = small_arrays["D.conv.bias"]
    with pytest.raises(InputError, match="there twice: D.conv.bias"):
        porting.port_weights(small_net, small_arrays)


@pytest.mark.parametrize("save", torch_writers.FORMATS.values(), ids=torch_writers.FORMATS)
def test_same_output_from_every_format(save, small_net, small_arrays, tmp_path):
    image = np.random.default_rng(1).normal(size=(1, 16, 24, 3)).astype("float32")
    porting.port_weights(small_net, small_arrays)
    expected = small_net.predict_on_batch(image)
    porting.port_weights(small_net, {n: np.zeros_like(a) for n, a in small_arrays.items()})
    assert not np.allclose(small_net.predict_on_batch(image), expected, atol=1e-3)
    state = torch_writers.saved(small_arrays, prefix="module.")
    path = save(tmp_path / "model_best.pth.tar", {"epoch": 3, "state_dict": state})
    porting.port_weights(small_net, porting.read_torch_checkpoint(path))
    np.testing.assert_array_equal(small_net.predict_on_batch(image), expected)


def test_golden_output_from_a_python_2_file(golden, tmp_path):
    expected = golden("mask_drn_d_22")
    state = torch_writers.saved(golden_recipe.weights(expected), prefix="module.")
    path = torch_writers.save_python2(tmp_path / "mask_resnet", state)
    net = build_mask_net("drn_d_22", tuple(expected["input_shape"][1:]), weights=path)
    output = net.predict_on_batch(golden_recipe.image(expected))
    tolerance = 1e-4 * expected["output"].std()
    np.testing.assert_allclose(output, expected["output"], rtol=0, atol=tolerance)


# --- ImageNet weights into encoders ---


def imagenet_name(network, name):
    """Name at torchvision, Cadene or fyu of an array of the golden file.

    DenseNet's names have the dots that modules' names had until PyTorch 0.4.
    """
    if network == "hu_densenet161":
        return re.sub(r"(denselayer\d+\.(norm|conv))(\d)", r"\1.\3", name.removeprefix("E."))
    if network == "hu_resnet50":
        return name.removeprefix("E.")
    return re.sub(r"^E\.base\.", "layer", name)


@pytest.mark.parametrize("name", ["hu_resnet50", "mask_drn_d_22"])
def test_imagenet_weights_in_the_encoder(name, golden, tmp_path):
    """Golden decoder, other encoder; then the encoder's file: the golden output is back."""
    expected = golden(name)
    arrays = golden_recipe.weights(expected)
    shape = tuple(expected["input_shape"][1:])
    mask = name.startswith("mask")
    net = build_mask_net("drn_d_22", shape) if mask else build_depth_net(name, shape)
    others = {n: 0.5 * a if n.startswith("E.") else a for n, a in arrays.items()}
    porting.port_weights(net, others)
    file = {imagenet_name(name, n): a for n, a in arrays.items() if n.startswith("E.")}
    file |= {"fc.weight": np.zeros((1000, 8), "float32"), "fc.bias": np.zeros(1000, "float32")}
    path = torch_writers.save_legacy(tmp_path / "imagenet.pth", torch_writers.saved(file))
    left = porting.port_encoder(net, porting.read_torch_checkpoint(path))
    assert left == ["fc.bias", "fc.weight"]
    output = net.predict_on_batch(golden_recipe.image(expected))
    tolerance = 1e-4 * expected["output"].std()
    np.testing.assert_allclose(output, expected["output"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("network", ["hu_densenet161", "hu_senet154"])
def test_names_of_larger_imagenet_networks(network, golden):
    """The golden test of each network shows that these names are those of its layers."""
    names = [n for n in golden_recipe.weights(golden(network)) if n.startswith("E.")]
    stages = network == "hu_senet154"
    for name in names:
        published = imagenet_name(network, name)
        assert encoder_name(plain(published), stages) == name
        assert encoder_name(plain(f"module.{published}"), stages) == name
    assert any("denselayer1.norm.1" in imagenet_name(network, n) for n in names) or stages


def test_names_of_stages(small_net, small_arrays):
    for start in ("layer", "base.", ""):
        file = {
            n.replace("E.base.", f"module.{start}"): a
            for n, a in small_arrays.items()
            if n.startswith("E.")
        }
        left = porting.port_encoder(small_net, {**file, "seg.weight": np.zeros(3), "up.weight": 0})
        assert left == ["seg.weight", "up.weight"]
        kernel = small_net.get_layer("E_base_3_0_1_conv").get_weights()[0]
        expected = small_arrays["E.base.3.0.conv1.weight"].transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(kernel, expected)


def test_another_imagenet_network(small_net, small_arrays):
    before = small_net.get_weights()
    file = {n.replace("E.base.", "layer"): a for n, a in small_arrays.items() if n[0] == "E"}
    del file["layer8.1.bias"]
    file["layer9.0.weight"] = np.zeros(3)
    with pytest.raises(InputError, match=r"missing: E.base.8.1.bias; unused: E.base.9.0.weight$"):
        porting.port_encoder(small_net, file)
    for got, value in zip(small_net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, value)
    with pytest.raises(InputError, match="compact has no encoder that PyTorch's ImageNet"):
        porting.port_encoder(build_depth_net("compact", (64, 96, 3)), file)


def test_steps_and_slots_are_left_aside():
    arrays = {"conv1/weights": np.ones((1, 2, 2, 3)), "bn_conv1/scale": np.ones(3)}
    slots = {f"{n}/{slot}": a for n, a in arrays.items() for slot in ("Adam", "Adam_1", "Ema")}
    counters = {"beta1_power": np.array(0.9), "global_step": np.array(7), "t/beta2_power_1": 0}
    assert porting.left_aside({**arrays, **slots, **counters}) == sorted({**slots, **counters})
    torch = {"bn1.weight": np.ones(3), "bn1.num_batches_tracked": np.array(7)}
    assert porting.left_aside(torch) == ["bn1.num_batches_tracked"]
