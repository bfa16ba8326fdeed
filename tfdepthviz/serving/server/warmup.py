"""Warm-up: predict requests in a version's folder run before it serves."""

import os

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tfdepthviz.serving.server.inputs import checked, find_signature
from tfdepthviz.serving.server.status import invalid, of
from tfdepthviz.serving.server.tensor_protos import to_array
from tfdepthviz.utils.constants import WARMUP_FILE


def warm_up(model, path, limits):
    """Runs the requests in <path>/assets.extra/tf_serving_warmup_requests, if the file exists."""
    file = os.path.join(path, WARMUP_FILE)
    if not os.path.isfile(file):
        return
    # On the CPU by name: where this is called, some logical device may be the default.
    for count, record in enumerate(tf.data.TFRecordDataset(file).as_numpy_iterator()):
        try:
            _run(model, prediction_log_pb2.PredictionLog.FromString(record), limits)
        except Exception as error:
            raise invalid(
                f"warm-up record {count} of {file} failed: {of(error).message}"
            ) from error


def _run(model, log, limits):
    if log.WhichOneof("log_type") != "predict_log":
        raise invalid("it is no predict request")
    request = log.predict_log.request
    name, signature = find_signature(model, request.model_spec.signature_name)
    arrays = {a: to_array(a, p, limits.max_body_bytes) for a, p in request.inputs.items()}
    call = checked(name, signature, arrays, limits, request.output_filter)
    model.run(call.signature, call.inputs)
