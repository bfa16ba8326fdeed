"""SavedModels whose operations reach beyond the model, from TensorFlow and edited by hand."""

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfdepthviz.models.target_sources import open_network
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.savedmodel_safety import check_savedmodel

IMAGE = tf.TensorSpec((None, 28, 42, 3))


def _lines(image):
    return tf.data.TextLineDataset("/etc/hosts").reduce(0, lambda count, _: count + 1)


def _deep(image):
    read = tf.function(lambda: tf.strings.length(tf.io.read_file("/etc/hosts")))
    return tf.while_loop(lambda n: n < 1, lambda n: (read(),), [0])[0]


ACTIONS = {
    "ReadFile": lambda image: tf.io.read_file("/etc/hosts"),
    "WriteFile": lambda image: tf.io.write_file("written", "text"),
    "MatchingFiles": lambda image: tf.io.matching_files("/etc/*"),
    "PyFunc": lambda image: tf.numpy_function(lambda x: x, [image], tf.float32),
    "PrintV2": lambda image: tf.print(image, output_stream="file://written"),
    "TextLineDataset": _lines,
    "ReadFile within a loop": _deep,
    "SaveV2": lambda image: tf.raw_ops.SaveV2(
        prefix="written", tensor_names=["a"], shape_and_slices=[""], tensors=[image]
    ),
    "RestoreV2": lambda image: tf.raw_ops.RestoreV2(
        prefix="written", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    ),
}


def saved(path, action=None):
    """A model of one variable, whose signature also runs `action`."""
    model = tf.Module()
    model.scale = tf.Variable(2.0)

    def call(image):
        done = action(image) if action else None
        with tf.control_dependencies([] if done is None else tf.nest.flatten(done)):
            return {"depth": image[..., :1] * model.scale}

    model.call = tf.function(call, input_signature=[IMAGE])
    tf.saved_model.save(model, str(path), signatures=model.call)
    return path


@pytest.mark.parametrize("name", ACTIONS)
def test_dangerous_operations_are_refused_before_loading(name, tmp_path):
    path = saved(tmp_path / "1", ACTIONS[name])
    for load in (
        lambda: open_network(str(path)),
        lambda: LocalModel(path),
    ):
        with pytest.raises(InputError, match=rf"graph holds .*{name.split()[0]}.*no network needs"):
            load()


def test_plain_models_pass(tmp_path, tiny_model):
    check_savedmodel(saved(tmp_path / "1"))
    check_savedmodel(tiny_model)
    image = tf.ones((1, 28, 42, 3))
    assert float(tf.reduce_max(open_network(str(tmp_path / "1"))(image)["depth"])) == 2.0


def _signature_of_the_saver(meta):
    meta.signature_def["serving_default"].outputs["depth"].name = meta.saver_def.save_tensor_name


def _main_operation(meta):
    meta.collection_def["main_op"].node_list.value.append(meta.saver_def.restore_op_name)


def _concrete_function(meta):
    (name,) = (n for n in _functions(meta) if "traced_save" in n)
    meta.object_graph_def.concrete_functions[name].SetInParent()


def _another_node(meta):
    node = meta.graph_def.node.add(name="more", op="Identity")
    node.input.append(meta.saver_def.save_tensor_name)


def _another_function(meta):
    (name,) = (n for n in _functions(meta) if "traced_restore" in n)
    (caller,) = (n for n in _functions(meta) if "signature_wrapper" in n)
    node = _functions(meta)[caller].node_def.add(name="more", op="StatefulPartitionedCall")
    node.attr["f"].func.name = name


def _functions(meta):
    return {f.signature.name: f for f in meta.graph_def.library.function}


@pytest.mark.parametrize(
    "change",
    [
        *(_signature_of_the_saver, _main_operation, _concrete_function),
        *(_another_node, _another_function),
    ],
)
def test_only_the_loader_may_save_and_restore(change, tmp_path):
    file = saved(tmp_path / "1") / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="holds MergeV2Checkpoints, RestoreV2, SaveV2"):
        check_savedmodel(tmp_path / "1")


@pytest.fixture
def restored_in_version_1(tmp_path):
    """What a script of TensorFlow 1 exports after `Saver().restore`: depth = 3 * red."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, 28, 42, 3), "image")
        scale = v1.get_variable("scale", initializer=0.0, use_resource=False)
        saver = v1.train.Saver()
        v1.add_to_collection("savers", saver)
        session.run(scale.assign(3.0))
        saver.restore(session, saver.save(session, str(tmp_path / "ckpt")))
        inputs, outputs = {"image": image}, {"depth": image[..., :1] * scale}
        v1.saved_model.simple_save(session, str(tmp_path / "1"), inputs, outputs)
    return tmp_path / "1"


def test_saver_that_nothing_runs(restored_in_version_1):
    check_savedmodel(restored_in_version_1)
    network = open_network(str(restored_in_version_1))
    assert float(tf.reduce_max(network(tf.ones((1, 28, 42, 3)))["depth"])) == 3.0


def _signature_of_an_unused_saver(meta):
    meta.signature_def["serving_default"].outputs["depth"].name = "save/restore_all:0"


def _initialiser_of_an_unused_saver(meta):
    meta.collection_def["main_op"].node_list.value.append("save/restore_all")


def _variable_of_an_unused_saver(meta):
    values = meta.collection_def["variables"].bytes_list.value
    values[0] = values[0].replace(b"scale/Assign", b"save/RestoreV2")


def _restoring_that_saves(meta):
    (node,) = (n for n in meta.graph_def.node if n.name == meta.saver_def.restore_op_name)
    node.input.append("^save/SaveV2")


@pytest.mark.parametrize(
    "change",
    [
        *(_signature_of_an_unused_saver, _initialiser_of_an_unused_saver),
        *(_variable_of_an_unused_saver, _restoring_that_saves),
    ],
)
def test_unused_saver_that_could_be_run(change, restored_in_version_1):
    file = restored_in_version_1 / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="holds .*RestoreV2, SaveV2"):
        check_savedmodel(restored_in_version_1)


def test_other_forms_of_a_graph_are_refused(tmp_path):
    (saved(tmp_path / "1") / "saved_model.pbtxt").write_text("")
    with pytest.raises(InputError, match="saved_model.pbtxt is not read here"):
        check_savedmodel(tmp_path / "1")
