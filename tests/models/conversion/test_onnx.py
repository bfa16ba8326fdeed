"""ONNX operators against onnxruntime; ONNX files as networks, whole and malicious ones."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.models.conversion import comparison, operators
from tfdepthviz.models.conversion.convert import open_converted
from tfdepthviz.models.conversion.onnx_network import OnnxNetwork
from tfdepthviz.models.target import depth_target
from tfdepthviz.models.target_sources import open_network
from tfdepthviz.utils.errors import InputError

onnx = pytest.importorskip("onnx", reason="NO ONNX: no ONNX file was opened")
ort = pytest.importorskip("onnxruntime", reason="NO ONNXRUNTIME: no operator was compared")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
RANDOM = np.random.default_rng(0)
SIZE = (6, 9)


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def numbers(*values):
    return np.array(values, "int64")


def model_of(nodes, constants, size=SIZE, opset=18, batch="batch", outputs=("y",), rank=4):
    """A model from `image`, (batch, 3, H, W), to the outputs."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", 1, (batch, 3, *size))],
        [helper.make_tensor_value_info(name, 1, rank and [None] * rank) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def operator(name, *constants, opset=18, rank=4, **attributes):
    """A model of one operator of the image and constants; None leaves an input out."""
    names = ["" if c is None else f"c{i}" for i, c in enumerate(constants)]
    values = {n: c for n, c in zip(names, constants, strict=True) if n}
    node = helper.make_node(name, ["image", *names], ["y"], **attributes)
    return model_of([node], values, opset=opset, rank=rank)


def resize(sizes=None, scales=None, **attributes):
    scales = None if scales is None else np.array([1, 1, *scales], "float32")
    sizes = None if sizes is None else np.array([4, 3, *sizes], "int64")
    return operator("Resize", None, scales, sizes, **attributes)


CONV = {"kernel_shape": [3, 3]}
MODELS = {
    "Conv": operator("Conv", normal(4, 3, 3, 3), normal(4), pads=[1, 1, 1, 1], **CONV),
    "Conv, strides": operator("Conv", normal(4, 3, 3, 3), strides=[2, 2], pads=[1, 0, 2, 1]),
    "Conv, one pixel, strides": operator("Conv", normal(4, 3, 1, 1), strides=[2, 2]),
    "Conv, dilations": operator("Conv", normal(4, 3, 3, 3), dilations=[2, 2], pads=[2, 2, 2, 2]),
    "Conv, strides and dilations": operator(
        "Conv", normal(4, 3, 2, 3), strides=[3, 2], dilations=[2, 2], pads=[2, 2, 1, 2]
    ),
    "Conv, depthwise, strides and dilations": operator(
        "Conv", normal(6, 1, 2, 3), group=3, strides=[2, 3], dilations=[2, 1], pads=[1, 1, 1, 1]
    ),
    "Conv, depthwise": operator("Conv", normal(6, 1, 3, 3), group=3, pads=[1, 1, 1, 1]),
    "Conv, same": operator("Conv", normal(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
    "ConvTranspose": operator("ConvTranspose", normal(3, 4, 2, 2), normal(4), strides=[2, 2]),
    "ConvTranspose, pads": operator(
        "ConvTranspose", normal(3, 4, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    ),
    "ConvTranspose, small kernel": operator("ConvTranspose", normal(3, 4, 1, 1), strides=[2, 2]),
    "MaxPool": operator("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "MaxPool, ceil": operator("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "AveragePool": operator("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "AveragePool, pads count": operator(
        "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "Resize, nearest": resize(
        scales=(2, 2), coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    ),
    "Resize, odd nearest": resize(sizes=(9, 5)),
    "Resize, half pixel": resize(sizes=(11, 13), mode="linear"),
    "Resize, smaller": resize(sizes=(4, 5), mode="linear"),
    "Resize, aligned": resize(
        sizes=(11, 13), mode="linear", coordinate_transformation_mode="align_corners"
    ),
    "Resize, cubic": resize(sizes=(11, 13), mode="cubic"),
    "Resize, scales": resize(scales=(1.7, 1.3), mode="linear"),
    "Pad, reflect": operator("Pad", numbers(0, 0, 1, 2, 0, 0, 2, 1), mode="reflect"),
    "Pad, edge": operator("Pad", numbers(0, 0, 1, 2, 0, 0, 2, 1), mode="edge"),
    "Pad, constant": operator("Pad", numbers(0, 0, 1, -2, 0, 0, 2, 0), np.float32(3)),
    "BatchNormalization": operator(
        "BatchNormalization", normal(3), normal(3), normal(3), 1 + normal(3) ** 2
    ),
    "InstanceNormalization": operator("InstanceNormalization", normal(3), normal(3)),
    "GroupNormalization": operator(
        "GroupNormalization", normal(3), normal(3), num_groups=1, opset=21
    ),
    "LayerNormalization": operator("LayerNormalization", normal(9), normal(9)),
    "GlobalAveragePool": operator("GlobalAveragePool"),
    "MatMul": operator("MatMul", normal(9, 4)),
    "Gemm": model_of(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["y"], alpha=0.5, beta=2.0, transB=1),
        ],
        {"w": normal(5, 162), "b": normal(5)},
        rank=2,
    ),
    "Split": model_of(
        [
            helper.make_node("Split", ["image", "sizes"], ["a", "b"], axis=3),
            helper.make_node("Pad", ["a", "pads"], ["c"]),
            helper.make_node("Concat", ["b", "c"], ["d"], axis=3),
            helper.make_node("Mul", ["d", "d"], ["y"]),
        ],
        {"sizes": numbers(4, 5), "pads": numbers(0, 0, 0, 1, 0, 0, 0, 0)},
    ),
    "Sequence": model_of(
        [
            helper.make_node("SplitToSequence", ["image", "sizes"], ["parts"], axis=3),
            helper.make_node("SequenceAt", ["parts", "place"], ["a"]),
            helper.make_node("Relu", ["a"], ["y"]),
        ],
        {"sizes": numbers(4, 5), "place": np.int64(1)},
    ),
    "Reshape": operator("Reshape", numbers(0, -1, 9), rank=3),
    "Flatten": operator("Flatten", axis=2, rank=2),
    "Squeeze": operator("Unsqueeze", numbers(1, -1), rank=6),
    "Slice": operator("Slice", numbers(5, -1), numbers(0, -8), numbers(2, 3), numbers(-2, -3)),
    "Gather": operator("Gather", numbers(-1, 0), axis=3),
    "Gather, scalar": operator("Gather", np.int64(-1), axis=2, rank=3),
    "GatherND": model_of(
        [
            helper.make_node("Transpose", ["image"], ["last"], perm=[2, 3, 0, 1]),
            helper.make_node("GatherND", ["last", "places"], ["some"]),
            helper.make_node("Transpose", ["some"], ["y"], perm=[1, 2, 0]),
        ],
        {"places": np.array([[0, 8], [-1, 3], [2, -2], [2, 2]])},
        rank=3,
    ),
    "ScatterND": model_of(
        [
            helper.make_node("Transpose", ["image"], ["rows"], perm=[2, 0, 1, 3]),
            helper.make_node("Slice", ["rows", "start", "end"], ["some"]),
            helper.make_node("Exp", ["some"], ["changed"]),
            helper.make_node("ScatterND", ["rows", "places", "changed"], ["new"]),
            helper.make_node("Transpose", ["new"], ["y"], perm=[1, 2, 0, 3]),
        ],
        {"start": numbers(1), "end": numbers(3), "places": np.array([[5], [-6]])},
    ),
    "CumSum": operator("CumSum", np.int64(-1)),
    "CumSum, exclusive, from the end": operator("CumSum", np.int64(1), exclusive=1, reverse=1),
    "LogSoftmax": operator("LogSoftmax", axis=1),
    "ReduceLogSumExp": operator("ReduceLogSumExp", numbers(1, 3)),
    "Expand": operator("Expand", numbers(1, 3, 6, 9)),
    "Tile": operator("Tile", numbers(1, 2, 1, 1)),
    "Softmax": operator("Softmax", axis=1),
    "Softmax, opset 11": operator("Softmax", axis=1, opset=11),
    "ReduceMean": operator("ReduceMean", numbers(1), keepdims=0, rank=3),
    "ReduceL2": operator("ReduceL2", numbers(2, 3)),
    "DepthToSpace": operator("DepthToSpace", blocksize=1, mode="CRD"),
    "Clip": operator("Clip", np.float32(-0.5), np.float32(0.5)),
    "LeakyRelu": operator("LeakyRelu", alpha=0.2),
    "HardSwish": operator("HardSwish"),
    "Selu, which ONNX spells out": operator("Selu"),
    "Gelu": operator("Gelu", opset=20),
    "PRelu": operator("PRelu", normal(3, 1, 1)),
    "Pow": operator("Pow", np.float32(2)),
    "Add, without an axis": operator("Add", normal(6, 1)),
    "Add, as many channels as columns": model_of(
        [
            helper.make_node("Slice", ["image", "zero", "three", "axis"], ["square"]),
            helper.make_node("Add", ["square", "bias"], ["y"]),
        ],
        {"zero": numbers(0), "three": numbers(3), "axis": numbers(3), "bias": normal(3, 1, 1)},
    ),
    **{name: operator(name) for name in ("Elu", "Erf", "Softplus", "Sigmoid", "Tanh", "Mish")},
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_operator(name):
    images = normal(4, *SIZE, 3)
    session = ort.InferenceSession(MODELS[name].SerializeToString())
    (expected,) = session.run(None, {"image": images.transpose(0, 3, 1, 2)})
    network = OnnxNetwork(MODELS[name], SIZE)
    graph = tf.function(network, input_signature=[tf.TensorSpec((None, *SIZE, 3))], autograph=False)
    result = graph(images)["y"]
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    exact = OnnxNetwork(MODELS[name], SIZE, "float64")(tf.constant(images, "float64"))["y"]
    np.testing.assert_allclose(exact, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("ReduceL2", [0.0, 0.0, 0.0]),
        ("LogSoftmax", [-2.0, 1.0, 1.0]),  # 1 minus 3 times the softmax, which is (1, 0, 0)
        ("ReduceLogSumExp", [1.0, 0.0, 0.0]),
    ],
)
def test_gradient_at_the_edge(name, expected):
    """Masked images have zeros where no natural image has them."""
    options = {"axis": 1} if name == "LogSoftmax" else {"rank": 4}
    axes = () if name == "LogSoftmax" else (numbers(1),)
    network = OnnxNetwork(operator(name, *axes, **options), SIZE)
    image = tf.constant(np.broadcast_to(np.float32([200, 0, 0]), (1, *SIZE, 3)))
    image = image * 0 if name == "ReduceL2" else image
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(network(image)["y"])
    gradient = tape.gradient(total, image)
    np.testing.assert_allclose(gradient, np.broadcast_to(expected, image.shape), atol=1e-6)


def attention(batch="batch", size=(8, 8)):
    """Patches, attention with sizes from Shape, a convolution: what exporters write."""
    nodes = [
        helper.make_node("Conv", ["image", "patch"], ["patches"], strides=[4, 4]),
        helper.make_node("Shape", ["patches"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "two"], ["start"]),
        helper.make_node("Concat", ["start", "minus"], ["flat"], axis=0),
        helper.make_node("Reshape", ["patches", "flat"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["tokens", "columns"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["attended"], axis=-1),
        helper.make_node("MatMul", ["attended", "tokens"], ["mixed"]),
        helper.make_node("Transpose", ["mixed"], ["back"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["back", "shape"], ["map"]),
        helper.make_node("Resize", ["map", "", "scales"], ["large"], mode="linear"),
        helper.make_node("Conv", ["large", "head"], ["depth"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["large"], ["features"]),
    ]
    constants = {
        "patch": normal(8, 3, 4, 4) / 5,
        "head": normal(1, 8, 3, 3),
        "zero": numbers(0),
        "two": numbers(2),
        "minus": numbers(-1),
        "scales": np.array([1, 1, 4, 4], "float32"),
    }
    return model_of(nodes, constants, size, batch=batch, outputs=("features", "depth"))


@pytest.mark.parametrize("batch", ["batch", 1])
def test_file(batch, tmp_path):
    path = str(tmp_path / "n.onnx")
    onnx.save(attention(batch), path)
    opened = open_network(path)
    images = comparison.made_up_images((8, 8), 0.5, 0.2)
    images = images[:3]
    session = ort.InferenceSession(path)
    each = [session.run(["depth"], {"image": i[None].transpose(0, 3, 1, 2)})[0] for i in images]
    np.testing.assert_allclose(
        opened(images)["depth"][..., 0], np.concatenate(each)[:, 0], rtol=1e-5, atol=1e-5
    )
    assert "float64" in opened.comparison
    assert depth_target(opened, depth_kind="inverse").input_size == (8, 8)


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_file_of_other_floats(kind, tmp_path):
    """Half floats are widened; the depth is that of the same weights in float32."""
    weights = normal(1, 3, 3, 3).astype(kind)
    model = operator("Conv", weights)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(weights.dtype)
    onnx.save(model, tmp_path / "n.onnx")
    images = normal(2, *SIZE, 3)
    depth = open_converted(str(tmp_path / "n.onnx"))(images)["depth"]
    kernel = weights.astype("float32").transpose(2, 3, 1, 0)
    np.testing.assert_allclose(depth, tf.nn.conv2d(images, kernel, 1, "VALID"), atol=1e-5)


def test_changed_weights_are_converted_again(tmp_path):
    images, depths = normal(1, *SIZE, 3), []
    for factor in (1, 2):
        kernel = np.full((1, 3, 3, 3), factor, "float32")
        onnx.save(
            operator("Conv", kernel), tmp_path / "n.onnx", save_as_external_data=True,
            location="weights", size_threshold=0,
        )  # fmt: skip
        depths.append(open_converted(str(tmp_path / "n.onnx"))(images)["depth"])
    np.testing.assert_allclose(2 * depths[0], depths[1], rtol=1e-5)


@pytest.mark.parametrize("name", ["conversion.json", "saved_model.pb", "variables/*.data*"])
def test_damaged_copy_is_made_anew(name, tmp_path):
    onnx.save(operator("Conv", normal(1, 3, 5, 5)), tmp_path / "n.onnx")
    images = normal(1, *SIZE, 3)
    opened = open_converted(str(tmp_path / "n.onnx"))
    depth = opened(images)["depth"]
    (damaged,) = opened.folder.glob(name)
    damaged.write_bytes(b"{}")
    again = open_converted(str(tmp_path / "n.onnx"))(images)["depth"]
    np.testing.assert_array_equal(again, depth)


def test_wrong_gradient_is_refused(tmp_path, monkeypatch):
    @tf.custom_gradient
    def relu(x):
        return tf.nn.relu(x), lambda g: 1.02 * g * tf.cast(x > 0, x.dtype)

    monkeypatch.setitem(operators.POINTWISE, "Relu", relu)
    nodes = [
        helper.make_node("Relu", ["image"], ["positive"]),
        helper.make_node("Conv", ["positive", "w"], ["y"]),
    ]
    onnx.save(model_of(nodes, {"w": normal(1, 3, 3, 3)}), tmp_path / "n.onnx")
    with pytest.raises(
        InputError, match="answers otherwise than the original: .*gradient [12].*e-02"
    ):
        open_converted(str(tmp_path / "n.onnx"))


def custom_domain():
    model = operator("Relu")
    model.graph.node[0].domain = "com.evil"
    model.opset_import.append(helper.make_opsetid("com.evil", 1))
    return model


def outside_data():
    model = operator("Conv", normal(1, 3, 3, 3))
    (weights,) = model.graph.initializer
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../etc/hosts")
    return model


def huge_range():
    nodes = [
        helper.make_node("Range", ["start", "end", "step"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["sum"]),
        helper.make_node("Add", ["image", "sum"], ["y"]),
    ]
    ends = {"start": np.float32(0), "end": np.float32(1e11), "step": np.float32(1)}
    return model_of(nodes, ends)


def misshapen():
    """Weights that say another size than their data has."""
    model = operator("Conv", normal(1, 3, 3, 3))
    (weights,) = model.graph.initializer
    weights.dims[0] = 1 << 20
    return model


def huge():
    node = helper.make_node("ConstantOfShape", ["size"], ["big"])
    add = helper.make_node("Add", ["image", "big"], ["y"])
    return model_of([node, add], {"size": numbers(1 << 20, 1 << 20, 1, 1)})


@pytest.mark.parametrize(
    "model, says",
    [
        (custom_domain(), "com.evil.Relu is none"),
        (operator("Det", rank=2), "operator Det .*not translated here; replace it"),
        (outside_data(), "does not load as an ONNX model"),
        (huge(), "a constant of size"),
        (huge_range(), "operator Range .*a constant of size .*; replace it"),
        (resize(scales=(1e5, 1e5)), "operator Resize .*a map of .* numbers for one image"),
        (misshapen(), "does not load as an ONNX model|weights c0"),
        (operator("Conv", normal(1, 3, 3)), "operator Conv .*of height and width.*; replace it"),
        (operator("Conv", normal(2, 3, 3, 3)), "clause 'output': expected one map"),
        (model_of([helper.make_node("Relu", ["image"], ["y"])], {}, opset=9), "opset below 11"),
        (b"no model", "does not load as an ONNX model"),
    ],
    ids=[
        "domain",
        "unknown",
        "outside",
        "huge",
        "huge range",
        "huge map",
        "misshapen",
        "one axis",
        "two maps",
        "old",
        "text",
    ],
)
def test_refused_files(model, says, tmp_path, cache):
    path = tmp_path / "n.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(InputError, match=says):
        open_network(str(path))
    assert not list(cache.rglob("saved_model.pb"))


def test_missing_file():
    with pytest.raises(InputError, match="gone.onnx: no such file"):
        open_network("gone.onnx")
