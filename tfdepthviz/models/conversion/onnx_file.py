"""ONNX files: reading, the files of weights that they name, and half floats as float32."""

import itertools
import os

from tfdepthviz.models.conversion.outputs import needs
from tfdepthviz.utils.errors import InputError, one_line

FLOAT32 = 1
# ONNX's numbers of float16, float64 and bfloat16.
OTHER_FLOATS = (10, 11, 16)


def read(path, where):
    """Reads an ONNX file with its weights.

    Args:
      path: of the file.
      where: what messages call the network.
    Returns:
      onnx.ModelProto, and the absolute paths of the files that hold it.
    Raises:
      InputError: onnx is missing, or refuses the file.
    """
    try:
        import onnx
    except ImportError as error:
        raise needs("onnx", "onnx", where) from error
    try:
        onnx.checker.check_model(path)
        model = onnx.load(path, load_external_data=False)
        folder = os.path.dirname(os.path.abspath(path))
        stored = [e for t in _tensors(model) for e in t.external_data if e.key == "location"]
        files = {os.path.abspath(path), *(os.path.join(folder, e.value) for e in stored)}
        onnx.load_external_data_for_model(model, folder)
        return model, files
    except Exception as error:  # onnx has no exception of its own
        raise InputError(
            f"{where}: does not load as an ONNX model ({one_line(error, 300)})"
        ) from error


def in_float32(model):
    """A copy of a model that computes in float32 wherever it computed in other floats.

    Half floats round by more than the comparison allows, and onnxruntime has few operators of
    float64 or bfloat16.

    Args:
      model: onnx.ModelProto with its weights.
    Returns:
      onnx.ModelProto; None if the model has no other floats.
    """
    import onnx

    copy = onnx.inliner.inline_local_functions(model)
    changed = 0
    for tensor in _tensors(copy):
        if tensor.data_type in OTHER_FLOATS:
            array = onnx.numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
            changed += 1
    for graph in _graphs(copy):
        for value in itertools.chain(graph.input, graph.output, graph.value_info):
            if value.type.tensor_type.elem_type in OTHER_FLOATS:
                value.type.tensor_type.elem_type = FLOAT32
                changed += 1
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Cast" and attribute.i in OTHER_FLOATS:
                    attribute.i = FLOAT32
                    changed += 1
    return copy if changed else None


def _graphs(model):
    """The graph of a model, and those inside its nodes."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        for attribute in itertools.chain.from_iterable(n.attribute for n in graph.node):
            waiting += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]


def _tensors(model):
    """All constants of a model, those of its functions included."""
    nodes = [node for function in model.functions for node in function.node]
    for graph in _graphs(model):
        yield from graph.initializer
        nodes += graph.node
    for attribute in itertools.chain.from_iterable(node.attribute for node in nodes):
        yield from attribute.tensors
        if attribute.HasField("t"):
            yield attribute.t
