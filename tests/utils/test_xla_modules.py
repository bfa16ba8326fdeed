"""SavedModels of JAX: what computes passes and keeps its gradient, what calls the host does not."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfdepthviz.models.saved_network import network_of
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.savedmodel_safety import check_savedmodel

jax = pytest.importorskip("jax", reason="NO JAX: no program of JAX was checked")
jax2tf = pytest.importorskip("jax.experimental.jax2tf")
pytestmark = pytest.mark.filterwarnings("default")  # JAX's own
SPEC = tf.TensorSpec((2, 8, 6, 3), name="image")
EVIL = "evil_host_call"


def depth(image):
    return jax.numpy.tanh(image[..., :1]) * image[..., 1:2]


def host_call(image):
    shape = jax.ShapeDtypeStruct(image[..., :1].shape, image.dtype)
    return jax.ffi.ffi_call(EVIL, shape)(image[..., :1])


def saved(function, path):
    checks = [jax.export.DisabledSafetyCheck.custom_call(EVIL)]
    module = tf.Module()
    converted = jax2tf.convert(
        function, with_gradient=function is depth, native_serialization_disabled_checks=checks
    )
    module.call = tf.function(
        lambda image: {"depth": converted(image)}, input_signature=[SPEC], autograph=False
    )
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=function is depth)
    tf.saved_model.save(module, str(path), signatures=module.call, options=options)
    return path


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    return saved(depth, tmp_path_factory.mktemp("jax") / "1")


def test_programs_that_compute_pass(harmless):
    image = np.random.default_rng(0).normal(size=SPEC.shape).astype("float32")
    network = network_of(str(harmless))
    with tf.GradientTape() as tape:
        tape.watch(tensor := tf.constant(image))
        total = tf.reduce_sum(network(tensor)["depth"])
    expected = jax.grad(lambda x: depth(x).sum())(image)
    np.testing.assert_allclose(tape.gradient(total, tensor), expected, atol=1e-6)


def test_calls_of_the_host_are_refused(tmp_path):
    with pytest.raises(InputError, match="graph holds XlaCallModule with custom_call_v1, which"):
        check_savedmodel(saved(host_call, tmp_path / "1"))


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda node: node.attr["function_list"].list.func.add(name="f"), "function_list"),
        (lambda node: setattr(node.attr["module"], "s", b"module {}"), "no bytecode of StableHLO"),
        (lambda node: setattr(node.attr["module"], "s", node.attr["module"].s[:-9]), "no bytecode"),
        (lambda node: setattr(node.attr["module"], "s", b""), "no bytecode of StableHLO"),
    ],
    ids=["functions", "text", "cut", "empty"],
)
def test_changed_modules_are_refused(change, says, harmless, tmp_path):
    model = saved_model_pb2.SavedModel.FromString((harmless / "saved_model.pb").read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    change(next(n for f in functions for n in f.node_def if n.op == "XlaCallModule"))
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=f"XlaCallModule with .*{says}"):
        check_savedmodel(tmp_path)


def test_send_within_the_strings_is_refused(harmless, tmp_path):
    """An operation's name of the same length in the place of a harmless one."""
    model = saved_model_pb2.SavedModel.FromString((harmless / "saved_model.pb").read_bytes())
    for function in model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            code = node.attr["module"].s
            node.attr["module"].s = code.replace(b"tanh_v2", b"send_v1").replace(
                b"tanh_v1", b"send_v1"
            )
    (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="XlaCallModule with send_v1"):
        check_savedmodel(tmp_path)
