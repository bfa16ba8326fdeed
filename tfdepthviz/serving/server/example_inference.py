"""Classify, Regress and MultiInference on one loaded model: the methods that take tf.Examples.

The signatures are those of `tf.compat.v1.saved_model`'s classification_signature_def and
regression_signature_def. The error messages are TensorFlow Serving's.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from tfdepthviz.serving.server.inference import (
    CLASSIFY,
    REGRESS,
    fill_model_spec,
    find_signature,
    signature_or_default,
)
from tfdepthviz.serving.server.status import StatusError, invalid
from tfdepthviz.serving.server.tensor_protos import dtype_name


@dataclasses.dataclass(frozen=True)
class Part:
    """The tensors of a signature."""

    input_name: str
    outputs: dict  # alias -> tensor name


def classify(model, name, examples):
    """ClassificationResult of serialised tf.Examples by signature `name`."""
    signature = _signature_of(model, name, CLASSIFY, "classification")
    part = _classification(signature)
    outputs = _run_part(model, part, examples)
    return classification_result(outputs, len(examples))


def regress(model, name, examples):
    """RegressionResult of serialised tf.Examples by signature `name`."""
    signature = _signature_of(model, name, REGRESS, "regression")
    part = _regression(signature)
    outputs = _run_part(model, part, examples)
    return regression_result(outputs["outputs"], len(examples))


def multi_inference(model, tasks, examples, version=None):
    """MultiInferenceResponse of several signatures in one run."""
    parts = _parts(model, tasks)
    fetches = sorted({name for part in parts for name in part.outputs.values()})
    feeds = {parts[0].input_name: np.array(_not_empty(examples), object)}
    tensors = dict(zip(fetches, model.run(feeds, fetches), strict=True))
    response = inference_pb2.MultiInferenceResponse()
    for task, part in zip(tasks, parts, strict=True):
        outputs = {alias: tensors[name] for alias, name in part.outputs.items()}
        result = response.results.add()
        if task.method_name == CLASSIFY:
            answer = classification_result(outputs, len(examples))
            result.classification_result.CopyFrom(answer)
        else:
            answer = regression_result(outputs["outputs"], len(examples))
            result.regression_result.CopyFrom(answer)
        fill_model_spec(result.model_spec, task.model_spec, version)
    return response


def serialized_examples(model_input):
    """Input of Classify, Regress and MultiInference -> list of serialised tf.Examples."""
    kind = model_input.WhichOneof("kind")
    if kind == "example_list":
        return [example.SerializeToString() for example in model_input.example_list.examples]
    if kind == "example_list_with_context":
        with_context = model_input.example_list_with_context
        # Two messages one after the other are, parsed, their union.
        context = with_context.context.SerializeToString()
        return [context + example.SerializeToString() for example in with_context.examples]
    return []


def _signature_of(model, name, method, kind):
    signature = find_signature(
        model, name, error=lambda name: invalid(f"No signature was found with the name: {name}")
    )
    if signature.method_name != method:
        raise invalid(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )
    return signature


def _classification(signature):
    if len(signature.outputs) not in (1, 2):
        count = len(signature.outputs)
        raise invalid(f"Expected one or two output Tensors, found {count}")
    input_name = _single_input(signature, "classification")
    outputs = {
        a: signature.outputs[a].name for a in ("classes", "scores") if a in signature.outputs
    }
    if not outputs:
        raise StatusError(
            "FAILED_PRECONDITION",
            "Expected classification signature outputs to contain at least one of "
            f'"classes" or "scores". Signature was: {signature}',
        )
    return Part(input_name, outputs)


def _regression(signature):
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    input_name = _single_input(signature, "regression")
    if "outputs" not in signature.outputs:
        raise StatusError(
            "FAILED_PRECONDITION", f"No regression outputs found in SignatureDef: {signature}"
        )
    return Part(input_name, {"outputs": signature.outputs["outputs"].name})


def _single_input(signature, kind):
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if "inputs" not in signature.inputs:
        raise StatusError(
            "FAILED_PRECONDITION", f"No {kind} inputs found in SignatureDef: {signature}"
        )
    return signature.inputs["inputs"].name


def _parts(model, tasks):
    seen, parts = set(), []
    for task in tasks:
        if not task.model_spec.name:
            raise invalid("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = signature_or_default(task.model_spec.signature_name)
        if name in seen:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        signature = find_signature(
            model,
            name,
            error=lambda name: invalid(f"Requested signature not found in model graph: {name}"),
        )
        kinds = {CLASSIFY: _classification, REGRESS: _regression}
        if task.method_name not in kinds:
            raise StatusError(
                "UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}"
            )
        if signature.method_name != task.method_name:
            kind = "classification" if task.method_name == CLASSIFY else "regression"
            raise invalid(
                f"Expected {kind} signature method_name to be {task.method_name}. "
                f"Was: {signature.method_name}"
            )
        parts.append(kinds[task.method_name](signature))
    if len({part.input_name for part in parts}) != 1:
        raise invalid("Input tensor must be the same for all Signatures.")
    return parts


def _run_part(model, part, examples):
    feeds = {part.input_name: np.array(_not_empty(examples), object)}
    return dict(zip(part.outputs, model.run(feeds, part.outputs.values()), strict=True))


def _not_empty(examples):
    if not examples:
        raise invalid("Input is empty.")
    return examples


def classification_result(outputs, count):
    """ClassificationResult of `classes` (count, n) string and `scores` (count, n) float32."""
    for alias, dtype in (("classes", "string"), ("scores", "float")):
        if alias in outputs:
            _check_classes(alias, np.asarray(outputs[alias]), dtype, count)
    shapes = {np.shape(array) for array in outputs.values()}
    if len(shapes) > 1:
        widths = [np.shape(outputs[alias])[1] for alias in ("classes", "scores")]
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {widths[0]} vs. {widths[1]}"
        )
    (shape,) = shapes
    labels = outputs["classes"].tolist() if "classes" in outputs else np.full(shape, b"").tolist()
    scores = outputs["scores"].tolist() if "scores" in outputs else np.zeros(shape).tolist()
    result = classification_pb2.ClassificationResult()
    for row in zip(labels, scores, strict=True):
        classes = result.classifications.add().classes
        for label, score in zip(*row, strict=True):
            classes.add(label=label.decode("utf-8", "replace"), score=score)
    return result


def _check_classes(alias, array, dtype, count):
    if array.ndim != 2:
        raise invalid(
            f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}"
        )
    received = (
        "string" if array.dtype == object else dtype_name(tf.as_dtype(array.dtype).as_datatype_enum)
    )
    if received != dtype:
        raise invalid(f"Expected {alias} Tensor of DT_{dtype.upper()}. Got: DT_{received.upper()}")
    if len(array) != count:
        raise invalid(f"Expected {alias} output batch size of {count}. Got: {len(array)}")


def regression_result(output, count):
    """RegressionResult of float32 (count,) or (count, 1)."""
    output = np.asarray(output)
    if output.ndim != 1 and not (output.ndim == 2 and output.shape[1] == 1):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{list(output.shape)}"
        )
    if len(output) != count:
        raise invalid(
            f"Input batch size did not match output batch size: {count} vs. {len(output)}"
        )
    if output.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {output.dtype.name}")
    result = regression_pb2.RegressionResult()
    for value in output.ravel().tolist():
        result.regressions.add(value=value)
    return result
