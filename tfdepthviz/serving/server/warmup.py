"""Warm-up: requests in a version's folder run before it serves."""

import os

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tfdepthviz.serving.server import example_inference, inference
from tfdepthviz.serving.server.status import StatusError, invalid
from tfdepthviz.serving.server.tensor_protos import to_array
from tfdepthviz.utils.constants import WARMUP_FILE

MAX_RECORDS = 1000
# Bytes of one input. The publisher wrote the file; this only stops mistakes from filling memory.
_MAX_BYTES = 2**31


def warm_up(model, path):
    """Runs the requests in <path>/assets.extra/tf_serving_warmup_requests, if the file exists.

    Args:
      model: loaded model.
      path: the version's folder.
    Returns:
      int, number of requests.
    Raises:
      StatusError: a record cannot be read or run, or there are more than 1000.
    """
    file = os.path.join(path, WARMUP_FILE)
    if not os.path.isfile(file):
        return 0
    count = 0
    # On the CPU by name: where this is called, some logical device may be the default.
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
        if count == MAX_RECORDS:
            raise invalid(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}")
        try:
            _run(model, prediction_log_pb2.PredictionLog.FromString(record))
        except Exception as error:
            words = error.message if isinstance(error, StatusError | tf.errors.OpError) else error
            raise invalid(f"warm-up record {count} of {file} failed: {words}") from error
        count += 1
    return count


def _run(model, log):
    kind = log.WhichOneof("log_type")
    if kind is None:
        raise invalid("holds no request")
    request = getattr(log, kind).request
    if kind == "predict_log":
        name = request.model_spec.signature_name
        signature = inference.find_signature(model, name)
        inputs = {a: to_array(a, proto, _MAX_BYTES) for a, proto in request.inputs.items()}
        inference.predict(model, signature, inputs, request.output_filter)
        return
    if kind == "session_run_log":
        raise StatusError("UNIMPLEMENTED", f"Unsupported log_type for warmup: {kind}")
    examples = example_inference.serialized_examples(request.input)
    if kind == "multi_inference_log":
        example_inference.multi_inference(model, request.tasks, examples)
        return
    run = {"classify_log": example_inference.classify, "regress_log": example_inference.regress}
    run[kind](model, request.model_spec.signature_name, examples)
