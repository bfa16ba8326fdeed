"""Weight files of every kind, and files that do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch_writers

from tfdepthviz.models import blocks, build_depth_net, build_mask_net
from tfdepthviz.models.mask_net import mask_net
from tfdepthviz.models.porting.weight_files import files_of, load_encoder, load_weights
from tfdepthviz.utils.errors import InputError


@pytest.fixture(scope="module")
def net():
    return build_mask_net("compact", (32, 48, 3))


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_round_trip_at_another_image_size(ending, net, tmp_path):
    path = tmp_path / f"mask{ending}"
    net.save_weights(path) if ending == ".weights.h5" else net.save(path)
    loaded = build_mask_net("compact", (24, 40, 3), weights=path)
    for got, expected in zip(loaded.get_weights(), net.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_weights_of_another_network(ending, net, tmp_path):
    path = tmp_path / f"mask{ending}"
    net.save_weights(path) if ending == ".weights.h5" else net.save(path)
    with pytest.raises(InputError, match=r"of compact: .*another network; it lacks \w+.* D_conv"):
        build_depth_net("compact", (32, 48, 3), weights=path)


def test_weights_of_another_width(tmp_path):
    path = tmp_path / "mask.weights.h5"
    wide, narrow = (
        mask_net((32, 48, 3), channels=(n,) * 8, decoder_channels=(n, n, n)) for n in (8, 4)
    )
    narrow.save_weights(path)
    with pytest.raises(InputError, match="does not fit"):
        load_weights(wide, path)


@pytest.mark.parametrize("name", ["weights", "model.pth", "model_best.pth.tar", "model.keras"])
@pytest.mark.parametrize("save", torch_writers.FORMATS.values(), ids=torch_writers.FORMATS)
def test_torch_file_under_any_name(save, name, small_net, small_arrays, tmp_path):
    path = save(tmp_path / name, torch_writers.saved(small_arrays, prefix="module."))
    load_weights(small_net, path)
    kernel, bias = small_net.get_layer("D_conv").get_weights()
    np.testing.assert_array_equal(kernel[2, 1, :, 0], small_arrays["D.conv.weight"][0, :, 2, 1])
    np.testing.assert_array_equal(bias, small_arrays["D.conv.bias"])


def test_tensorflow_checkpoint(tmp_path):
    """Names of FCRN's TensorFlow release, with the slots of an optimiser."""
    image = keras.Input((16, 24, 3))
    x = blocks.conv_bn(image, 4, 3, name="res2a_branch1", epsilon=1e-4)
    net = keras.Model(image, keras.layers.Conv2D(1, 3, name="ConvPred")(x), name="fcrn")
    rng = np.random.default_rng(0)
    shapes = {"weights": (3, 3, 3, 4), "scale": (4,), "offset": (4,), "mean": (4,)}
    arrays = {"res2a_branch1/weights": rng.normal(size=shapes.pop("weights"))}
    arrays |= {f"bn2a_branch1/{n}": rng.normal(size=4) for n in (*shapes, "variance")}
    arrays |= {"ConvPred/weights": rng.normal(size=(3, 3, 4, 1)), "ConvPred/biases": np.ones(1)}
    arrays |= {f"{name}/Adam": np.zeros_like(a) for name, a in arrays.items()}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in {**arrays, "global_step": np.array(7.0)}.items():
            tf.compat.v1.get_variable(name, initializer=value.astype("float32"))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "NYU_FCRN.ckpt"))
    for end in ("", "/NYU_FCRN.ckpt", "/NYU_FCRN.ckpt.meta", "/NYU_FCRN.ckpt.data-00000-of-00001"):
        net.get_layer("ConvPred").set_weights([np.zeros((3, 3, 4, 1)), np.zeros(1)])
        load_weights(net, f"{tmp_path}{end}")
        kernel, bias = net.get_layer("ConvPred").get_weights()
        np.testing.assert_allclose(kernel, arrays["ConvPred/weights"], rtol=1e-6)
        assert bias == 1
    assert [p.name for p in files_of(tmp_path)] == [
        f"NYU_FCRN.ckpt.{end}" for end in ("data-00000-of-00001", "index", "meta")
    ]


def test_torch_file_of_another_network(small_net, small_arrays, tmp_path):
    del small_arrays["D.conv.bias"]
    small_arrays |= {f"layer{i}.weight": np.zeros(3, "float32") for i in range(700)}
    path = torch_writers.save_zip(tmp_path / "resnet.pth", torch_writers.saved(small_arrays))
    with pytest.raises(InputError) as caught:
        load_weights(small_net, path)
    assert str(caught.value) == (
        f"weights of small: {path} was made for another network: 1 missing (D.conv.bias); "
        "700 unused (layer0.weight, layer1.weight, layer10.weight, ...); "
        "python -m trainers.port_weights lists them all"
    )


def test_imagenet_encoder(small_net, small_arrays, tmp_path):
    file = {n.replace("E.base.", "layer"): a for n, a in small_arrays.items() if n[0] == "E"}
    file["fc.bias"] = np.zeros(1000, "float32")
    path = torch_writers.save_legacy(tmp_path / "drn.pth", torch_writers.saved(file))
    assert load_encoder(small_net, path) == ["fc.bias"]
    gamma = small_net.get_layer("E_base_8_0_bn").get_weights()[0]
    np.testing.assert_array_equal(gamma, small_arrays["E.base.8.1.weight"])
    with pytest.raises(InputError, match="compact has no encoder that PyTorch's"):
        load_encoder(build_depth_net("compact", (32, 48, 3)), path)
    with pytest.raises(InputError, match=r"encoder weights of small: .* 1 unused \(E.more\)"):
        state = torch_writers.saved({**file, "more": np.zeros(3)})
        load_encoder(small_net, torch_writers.save_zip(tmp_path / "more.pth", state))
    (tmp_path / "text").write_text("text")
    with pytest.raises(InputError, match="expected a file of torch.save. Received: .*text, text"):
        load_encoder(small_net, tmp_path / "text")


@pytest.mark.parametrize(
    "name, content, complaint",
    [
        ("missing.weights.h5", None, "no such file"),
        ("missing.keras", None, "no such file"),
        ("missing", None, "no such file"),
        ("damaged.weights.h5", b"not HDF5", ", text$"),
        ("damaged.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(99), "is damaged"),
        ("damaged.keras", b"PK\x03\x04" + bytes(99), "the beginning of a zip archive, cut off"),
        ("weights.ckpt", b"", "an empty file"),
        ("model.pth", b"<!DOCTYPE html><html>quota exceeded", "a web page, saved instead of"),
        ("model.pth", b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        ("model.npy", b"\x93NUMPY\x01\x00", "a NumPy array"),
        ("model.pkl", b"\x80\x02}q\x00.", "a Python pickle that torch.save did not write"),
        ("model.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        ("model.tar", b"weights" + bytes(250) + b"ustar\x0000", "a tar archive, to be unpacked"),
        ("model.tgz", b"\x1f\x8b\x08", "a gzip archive, to be unpacked"),
        ("model.bin", b"\xff\xfe\xfd", "of no kind that is known here"),
    ],
)
def test_files_without_weights(name, content, complaint, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=complaint) as caught:
        build_depth_net("compact", (32, 48, 3), weights=path)
    message = str(caught.value)
    assert str(path) in message and "compact" in message and "\n" not in message


def test_folder_without_a_checkpoint(net, tmp_path):
    with pytest.raises(InputError, match="folder with one TensorFlow checkpoint, found 0"):
        load_weights(net, tmp_path)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".pth"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(ending, value, small_net, small_arrays, tmp_path):
    path = tmp_path / f"mask{ending}"
    if ending == ".pth":
        small_arrays = {name: array.copy() for name, array in small_arrays.items()}
        small_arrays["D.conv.bias"][0] = value
        torch_writers.save_zip(path, torch_writers.saved(small_arrays))
    else:
        bias = small_net.get_layer("D_conv").bias
        bias.assign(bias.numpy() * 0 + value)
        small_net.save_weights(path) if ending == ".weights.h5" else small_net.save(path)
        bias.assign(bias.numpy() * 0)
    with pytest.raises(InputError, match=r"expected finite numbers. Received: .*D_conv/bias hold"):
        load_weights(small_net, path)
