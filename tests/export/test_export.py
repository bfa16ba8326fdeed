"""Expected values: N and G run eagerly, on images that Pillow resized and NumPy normalised."""

import io
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from tfdepthviz import export
from tfdepthviz.errors import InputError
from tfdepthviz.models import build_depth_net, build_mask_net

SIZE = (64, 96)
SAMPLES = pathlib.Path(export.__file__).parent / "data" / "samples"
CARD = {"depth_net": "compact", "lambda": 3.0, "data": "made up – none"}
# All known to TensorFlow 2.18. Before another joins them, see that the server that
# savedmodels/README.md names knows it.
STABLE_OPS = set(
    """
    Abs AddV2 All AsString Assert AssignVariableOp BatchMatMulV2 BatchToSpaceND BiasAdd Cast
    ConcatV2 Const Conv2D DecodeImage DisableCopyOnRead EnsureShape ExpandDims Greater Identity
    Less LogicalAnd Max MaxPool Maximum Mean MergeV2Checkpoints Minimum Mul NoOp Pack Pad
    Placeholder ReadVariableOp RealDiv Relu Reshape ResizeNearestNeighbor RestoreV2 Rsqrt SaveV2
    ScaleAndTranslate Select Shape ShardedFilename Sigmoid Softplus SpaceToBatchND Squeeze
    StatefulPartitionedCall StatelessWhile StaticRegexFullMatch StridedSlice StringJoin Sub
    TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem TensorListStack
    VarHandleOp
    """.split()
)


@pytest.fixture(scope="module")
def nets():
    """N and G of random weights; half of G's mask is above the threshold, half below."""
    keras.utils.set_random_seed(0)
    depth_net = build_depth_net("compact", (*SIZE, 3))
    mask_net = build_mask_net("compact", (*SIZE, 3))
    mask_net.get_layer("D_conv").bias.assign([-3.5])
    return depth_net, mask_net


@pytest.fixture(scope="module")
def exported(nets, tmp_path_factory):
    return export.export_savedmodel(*nets, tmp_path_factory.mktemp("compact"), card=CARD)


@pytest.fixture(scope="module")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    yield loaded.signatures


@pytest.fixture(scope="module")
def tiny_nets():
    """Two networks of one layer each, for what does not depend on the networks."""
    image = keras.Input((8, 12, 3))
    depth = keras.layers.Conv2D(1, 3, strides=2)(image)
    mask = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(image)
    return keras.Model(image, depth), keras.Model(image, mask)


def photographs(batch, height, width):
    """Smooth images of 8 bits, as floats in [0, 1], so that a PNG file can hold them."""
    noise = np.random.default_rng(batch).integers(0, 256, (batch, 7, 9, 3)).astype("uint8")
    resized = [Image.fromarray(n).resize((width, height), Image.Resampling.BICUBIC) for n in noise]
    return np.stack([np.asarray(image) for image in resized]).astype("float32") / 255


def resized(maps, size, how=Image.Resampling.BILINEAR):
    """(B, h, w, C) -> (B, *size, C) by Pillow, which filters as wide as it shrinks."""
    channels = np.moveaxis(maps, -1, 1)
    shape = (*channels.shape[:2], *size)
    flat = channels.reshape(-1, *channels.shape[2:])
    out = [np.asarray(Image.fromarray(c).resize(size[::-1], how)) for c in flat]
    return np.moveaxis(np.reshape(out, shape), 1, -1)


def stretched(maps, size):
    """(B, h, w, 1) -> (B, *size, 1) with aligned corners, by numpy.interp along each axis."""
    for axis, n in zip((1, 2), size, strict=True):
        m = maps.shape[axis]
        at = np.linspace(0, m - 1, n)
        maps = np.apply_along_axis(lambda v, at=at, m=m: np.interp(at, range(m), v), axis, maps)
    return maps


def by_hand(nets, images):
    """All outputs at SIZE for images in [0, 1] of any one size."""
    depth_net, mask_net = nets
    image = resized(images, SIZE)
    image = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    mask = mask_net(image.astype("float32"), training=False).numpy()
    depths = [depth_net(x.astype("float32"), training=False).numpy() for x in (image, image * mask)]
    return {
        "mask": mask,
        "binary_mask": (mask > 0.025).astype("float32"),
        "depth": stretched(depths[0], SIZE),
        "masked_depth": stretched(depths[1], SIZE),
        "sparseness": (mask > 0.025).mean(axis=(1, 2, 3)),
    }


def check(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == tf.float32 and got[name].shape == value.shape, name
    for name in ("mask", "depth", "masked_depth"):
        np.testing.assert_allclose(got[name], expected[name], atol=1e-4, err_msg=name)
    # A pixel within rounding of the threshold may fall on either side.
    flipped = np.mean(np.abs(got["binary_mask"] - expected["binary_mask"]))
    assert set(np.unique(got["binary_mask"])) == {0, 1} and flipped < 1e-3
    np.testing.assert_allclose(got["sparseness"], expected["sparseness"], atol=1e-3)


def file_bytes(image, kind, **options):
    file = io.BytesIO()
    Image.fromarray(np.uint8(np.round(image * 255))).save(file, kind, **options)
    return file.getvalue()


def test_images_of_the_size_of_n(signatures, nets):
    images = photographs(2, *SIZE)
    expected = by_hand(nets, images)
    assert 0.2 < expected["sparseness"].mean() < 0.8
    assert np.abs(expected["depth"] - expected["masked_depth"]).max() > 1e-2
    check(signatures["serving_default"](image=images), expected)


# Sizes at which no pixel's centre falls between two of N's, where "nearest" is anybody's choice.
@pytest.mark.parametrize("batch, height, width", [(1, 128, 64), (3, 64, 160)])
def test_maps_come_at_the_size_of_the_images(signatures, nets, batch, height, width):
    images = photographs(batch, height, width)
    expected = by_hand(nets, images)
    for name in ("mask", "depth", "masked_depth"):
        expected[name] = resized(expected[name].astype("float32"), (height, width))
    nearest = Image.Resampling.NEAREST
    expected["binary_mask"] = resized(expected["binary_mask"], (height, width), nearest)
    got = signatures["serving_default"](image=images)
    check(got, expected)
    assert tf.reduce_min(got["mask"]) >= 0 and tf.reduce_max(got["mask"]) <= 1


def test_files_of_different_sizes_in_one_batch(signatures, nets):
    images = [photographs(1, *size) for size in ((120, 90), (40, 150), SIZE)]
    png = [file_bytes(image[0], "PNG") for image in images]
    apart = [by_hand(nets, image) for image in images]
    expected = {name: np.concatenate([e[name] for e in apart]) for name in apart[0]}
    check(signatures["image_bytes"](image_bytes=tf.constant(png)), expected)


def test_a_jpeg_file_gives_nearly_what_its_png_gives(signatures):
    image = photographs(1, 120, 90)[0]
    files = [file_bytes(image, "PNG"), file_bytes(image, "JPEG", quality=100, subsampling=0)]
    got = signatures["image_bytes"](image_bytes=tf.constant(files))
    np.testing.assert_allclose(got["depth"][0], got["depth"][1], atol=0.05)
    np.testing.assert_allclose(got["mask"][0], got["mask"][1], atol=0.05)


@pytest.mark.parametrize("wrong", [255.0, np.nan])
def test_images_in_0_to_255_are_refused(signatures, wrong):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"RGB in \[0, 1\]"):
        signatures["serving_default"](image=tf.fill((1, 5, 7, 3), np.float32(wrong)))


def test_inputs_are_named_and_free_in_size(signatures):
    inputs = {name: function.structured_input_signature[1] for name, function in signatures.items()}
    assert inputs == {
        "serving_default": {"image": tf.TensorSpec((None, None, None, 3), tf.float32, "image")},
        "image_bytes": {"image_bytes": tf.TensorSpec((None,), tf.string, "image_bytes")},
    }


def test_graph_has_long_stable_ops_only(exported):
    saved = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    (graph,) = [meta.graph_def for meta in saved.meta_graphs]
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    assert {node.op for node in nodes} - STABLE_OPS == set()


def test_a_version_is_a_folder_with_the_card(exported):
    assert exported.name == "1" and [path.name for path in exported.parent.iterdir()] == ["1"]
    card = exported / "assets.extra" / "card.json"
    assert json.loads(card.read_text("utf-8")) == CARD


def test_explain_file_gives_the_maps_of_a_photograph(exported):
    got = export.explain_file(exported, SAMPLES / "hololens_000.jpg")
    shapes = {name: value.shape for name, value in got.items()}
    assert shapes == {**dict.fromkeys(export.MAPS, (*SIZE, 1)), "sparseness": ()}
    assert all(np.isfinite(value).all() for value in got.values())
    assert got["sparseness"] == pytest.approx(got["binary_mask"].mean())


def test_explain_file_names_what_it_cannot_read(exported, tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes((SAMPLES / "hololens_000.jpg").read_bytes()[:5000])
    for path in (tmp_path / "notes.txt", cut, tmp_path / "absent.jpg", tmp_path):
        with pytest.raises(InputError, match=path.name):
            export.explain_file(exported, path)
    with pytest.raises(InputError, match=f"{exported.parent.name}: expected the folder of one"):
        export.explain_file(exported.parent, SAMPLES / "hololens_000.jpg")


def test_versions_count_up_and_are_never_replaced(tiny_nets, tmp_path):
    base = tmp_path / "new" / "model"

    def export_version(version=None):
        return export.export_savedmodel(
            *tiny_nets, base, card={"of": str(version)}, version=version
        )

    assert export_version(5) == base / "5"
    (base / "007").mkdir()
    (base / "notes").mkdir()
    assert export_version() == base / "8"
    for version in (5, 7):
        with pytest.raises(InputError, match=f"{version}: this version exists .* is 9"):
            export_version(version)
    assert (base / "5" / "assets.extra" / "card.json").read_text() == '{\n  "of": "5"\n}\n'
    assert sorted(path.name for path in base.iterdir()) == ["007", "5", "8", "notes"]


def test_a_failed_save_leaves_nothing(tiny_nets, tmp_path, monkeypatch):
    save = tf.saved_model.save

    def save_and_fail(module, path, **options):
        save(module, path, **options)
        assert list(tmp_path.iterdir()) == [pathlib.Path(path)]
        raise OSError("no space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save_and_fail)
    with pytest.raises(OSError, match="no space left"):
        export.export_savedmodel(*tiny_nets, tmp_path, card={})
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_get_one_line_before_anything_is_written(tiny_nets, nets, tmp_path):
    (tmp_path / "file").write_text("")
    right = {"base_path": tmp_path / "model", "card": {}}
    for networks, wrong, message in [
        ((tiny_nets[0], nets[1]), {}, "mask_net must map .* Received: .*64, 96"),
        ((tiny_nets[0], tiny_nets[0]), {}, "mask_net must map .* to masks"),
        (tiny_nets, {"card": {"weights": tmp_path}}, "card must be .* PosixPath"),
        (tiny_nets, {"card": {"rmse": float("nan")}}, "card must be .* JSON"),
        (tiny_nets, {"version": 0}, "version must be .* Received: 0"),
        (tiny_nets, {"version": "2"}, "version must be .* Received: '2'"),
        (tiny_nets, {"base_path": tmp_path / "file"}, "must be a folder of versions"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            export.export_savedmodel(*networks, **{**right, **wrong})
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
