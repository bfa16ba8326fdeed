"""Predict on one loaded model, for requests of REST, of gRPC and of warm-up files.

`model` has `signatures` and `run(feeds, fetches)`: a `saved_model.SavedModel` or a
`batching.BatchedModel`. The error messages are TensorFlow Serving's.
"""

import tensorflow as tf

from tfdepthviz.serving.server.status import StatusError, invalid
from tfdepthviz.serving.server.tensor_protos import dtype_name, to_array

DEFAULT_SIGNATURE = "serving_default"
PREDICT, CLASSIFY, REGRESS = (
    f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress")
)


def signature_or_default(name):
    return name or DEFAULT_SIGNATURE


def find_signature(model, name, *, error=None):
    """SignatureDef of that name.

    Args:
      name: "" means serving_default.
      error: function of the name -> StatusError for a missing signature.
    """
    name = signature_or_default(name)
    if name not in model.signatures:
        raise (error or _no_such_key)(name)
    return model.signatures[name]


def _no_such_key(name):
    return StatusError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')


def predict(model, signature, inputs, output_filter=()):
    """Runs a signature.

    Args:
      signature: SignatureDef.
      inputs: dict of alias -> array.
      output_filter: aliases of the outputs to return; empty: all.
    Returns:
      dict of alias -> array.
    """
    if signature.method_name not in (PREDICT, CLASSIFY, REGRESS):
        raise StatusError(
            "INTERNAL",
            "Expected prediction signature method_name to be one of "
            f"{{{PREDICT}, {CLASSIFY}, {REGRESS}}}. Was: {signature.method_name}",
        )
    inputs = _complete(signature, inputs)
    feeds = {}
    for alias, array in inputs.items():
        feeds[_tensor_name(signature.inputs[alias], alias)] = _typed(
            alias, array, signature.inputs[alias]
        )
    aliases = _outputs(signature, output_filter)
    names = [_tensor_name(signature.outputs[alias], alias) for alias in aliases]
    return dict(zip(aliases, model.run(feeds, names), strict=True))


def fill_model_spec(answer, requested, version):
    """Fills the model_spec of an answer: the requested model, the version that answered."""
    answer.name = requested.name
    answer.signature_name = signature_or_default(requested.signature_name)
    if version is not None:
        answer.version.value = version


def _complete(signature, inputs):
    """Inputs, with the signature's defaults for missing ones."""
    defaults = signature.defaults
    unknown = sorted(set(inputs) - set(signature.inputs))
    missing = sorted(set(signature.inputs) - set(inputs))
    if len(inputs) > len(signature.inputs) or (missing and not defaults and not unknown):
        sent, required = (",".join(sorted(names)) for names in (inputs, signature.inputs))
        raise invalid(
            f"input size does not match signature: {len(inputs)}!={len(signature.inputs)} "
            f"len({{{sent}}}) != len({{{required}}}). Sent extra: {{{','.join(unknown)}}}. "
            f"Missing but required: {{{','.join(missing)}}}."
        )
    if unknown:
        raise invalid(
            f"input tensor alias not found in signature: {unknown[0]}. Inputs expected to be in "
            f"the set {{{','.join(sorted(signature.inputs))}}}."
        )
    for alias in missing:
        if alias not in defaults:
            raise invalid(f"input tensor alias not found in request and has no default: {alias}")
        inputs = {**inputs, alias: to_array(alias, defaults[alias], 2**31)}
    return inputs


def _typed(alias, array, info):
    received = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    if info.dtype and received.as_datatype_enum != info.dtype:
        raise invalid(
            f"Expects input {alias} to be {dtype_name(info.dtype)} but "
            f"{dtype_name(received.as_datatype_enum)} is provided"
        )
    return array


def _tensor_name(info, alias):
    if info.WhichOneof("encoding") not in ("name", None):
        raise StatusError("UNIMPLEMENTED", f"{alias} is not a dense tensor: not supported")
    return info.name


def _outputs(signature, output_filter):
    if not output_filter:
        return sorted(signature.outputs)
    seen = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {{{','.join(sorted(signature.outputs))}}}."
            )
        if alias in seen:
            raise invalid(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return sorted(seen)
