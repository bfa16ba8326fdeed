"""The model without a server: it calls signatures as the server does, and checks its answers."""

import base64
import functools
import json
import time

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving_load.closed_loop import measure
from tfdepthviz.utils.errors import InputError

# Other batch sizes round differently. Numbers may differ by this much, relative to 1 or to
# themselves, and this share of the pixels may fall on the other side of a threshold.
_TOLERANCE, _SHARE = 1e-3, 1e-3


class Bare:
    """One version, loaded.

    Args:
      savedmodel: its folder.
      photographs: list of bytes, the image files of the requests.
    """

    def __init__(self, savedmodel, photographs):
        self._functions = tf.saved_model.load(str(savedmodel)).signatures
        self._photographs = photographs

    def input_of(self, signature_name):
        """The name of a signature's only input, which must be image files."""
        function = self._functions.get(signature_name)
        inputs = function.structured_input_signature[1] if function else {}
        if [spec.dtype for spec in inputs.values()] != [tf.string]:
            raise InputError(
                f"--signatures: expected signatures of the model whose only input is strings, the "
                f"bytes of image files. Received: {signature_name}, of inputs {sorted(inputs)}"
            )
        return next(iter(inputs))

    def run(self, signature_name, photographs):
        """dict of alias -> array."""
        inputs = {self.input_of(signature_name): tf.constant(photographs)}
        outputs = self._functions[signature_name](**inputs)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def measure(self, signature_name, threads, seconds):
        """Measures calls for one photograph as `closed_loop.measure` does."""
        call = functools.partial(self.run, signature_name, self._photographs[:1])
        return measure([call] * threads, seconds, lambda: [time.process_time()])

    def check(self, signature_name, api, answer):
        """Raises InputError unless a server's answer for the first photograph is the model's."""
        expected = self.run(signature_name, self._photographs[:1])
        received = DECODERS[api](answer)
        if len(expected) == 1 and api == "REST":  # TensorFlow Serving unwraps a single output
            received = {name: received for name in expected}
        right = received.keys() == expected.keys() and all(
            _same(np.asarray(received[name]), expected[name]) for name in expected
        )
        if not right:
            raise InputError(f"{signature_name} over {api} is not what the model itself gives")


def requests_of(api, model, signature_name, alias, photograph):
    """Body or message of a request for one image."""
    if api == "REST":
        instances = [{alias: {"b64": base64.b64encode(photograph).decode()}}]
        return json.dumps({"signature_name": signature_name, "instances": instances}).encode()
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature_name
    request.inputs[alias].CopyFrom(tf.make_tensor_proto([photograph]))
    return request.SerializeToString()


def _from_json(answer):
    """Array of a single output, or dict of them."""
    rows = json.loads(answer)["predictions"]
    if not isinstance(rows[0], dict) or "b64" in rows[0]:
        return _as_bytes(rows)
    return {name: _as_bytes([row[name] for row in rows]) for name in rows[0]}


def _as_bytes(rows):
    if not isinstance(rows[0], dict):
        return np.array(rows, np.float32)
    return np.array([base64.b64decode(row["b64"]) for row in rows], object)


def _from_message(answer):
    outputs = predict_pb2.PredictResponse.FromString(answer).outputs
    return {name: tf.make_ndarray(proto) for name, proto in outputs.items()}


# API -> function that decodes an answer's bytes, as a client without this package would.
DECODERS = {"REST": _from_json, "gRPC": _from_message}


def _same(received, expected):
    if received.shape != expected.shape:
        return False
    if expected.dtype == object:
        return bool(np.all(received == expected))
    close = np.isclose(received, expected, rtol=_TOLERANCE, atol=_TOLERANCE)
    return bool(np.mean(~close) <= _SHARE)
