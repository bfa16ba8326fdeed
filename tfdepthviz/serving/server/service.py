"""Predict and its companions on the loaded models, for REST and gRPC alike."""

import asyncio
import concurrent.futures
import contextlib
import logging
import time

import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2

from tfdepthviz.serving.server import inputs, rest_json, tensor_protos
from tfdepthviz.serving.server.status import StatusError, invalid, of

# Requests that are parsed at a time: a body of JSON grows to many times its size.
_PARSERS = 2


class Service:
    """The methods that clients call, on `Models`, `Turns`, `Metrics` and `Limits`."""

    def __init__(self, models, turns, metrics, limits):
        self.models, self.turns, self.metrics, self.limits = models, turns, metrics, limits
        self._parsers = concurrent.futures.ThreadPoolExecutor(_PARSERS, "parse")
        self.under_way = 0

    async def predict(self, which, client, read, waiting=None):
        """Answers one predict request.

        `which` are arguments of `models.Models.use`, `client` is an address without its port, and
        `waiting` is as in `turns.Turns.run`. `read` gives, for a `models.Version`, the
        `inputs.Call` and a function that encodes its outputs; both run in threads.
        """
        if self.under_way >= self.limits.max_concurrent_requests:
            message = f"{self.under_way} requests are under way (max_concurrent_requests)"
            raise StatusError("RESOURCE_EXHAUSTED", message)
        self.under_way += 1
        try:
            with self.models.use(**which) as version:
                loop = asyncio.get_running_loop()
                call, encode = await loop.run_in_executor(self._parsers, read, version)

                def run():
                    return encode(_outputs(version.model, call))

                return await self.turns.run(client, call.pixels, run, waiting)
        finally:
            self.under_way -= 1

    def read_json(self, version, body):
        """(`inputs.Call`, function that encodes its outputs) of a body of JSON."""
        document = rest_json.parse(body, self.limits)
        name, signature = inputs.find_signature(version.model, rest_json.signature_name(document))
        arrays, encode = rest_json.arrays(document, signature)
        return inputs.checked(name, signature, arrays, self.limits), encode

    def read_message(self, version, request):
        """The same of a PredictRequest, to a PredictResponse."""
        spec = request.model_spec
        name, signature = inputs.find_signature(version.model, spec.signature_name)
        arrays = {
            alias: tensor_protos.to_array(alias, proto, 2 * self.limits.max_body_bytes)
            for alias, proto in request.inputs.items()
        }

        def encode(outputs):
            response = predict_pb2.PredictResponse()
            response.model_spec.name, response.model_spec.signature_name = version.name, name
            response.model_spec.version.value = version.number
            for alias, array in outputs.items():
                tensor_protos.fill(response.outputs[alias], array)
            return response

        call = inputs.checked(name, signature, arrays, self.limits, request.output_filter)
        return call, encode

    def signatures(self, which):
        """(ModelSpec, SignatureDefMap) of a version."""
        signatures = get_model_metadata_pb2.SignatureDefMap()
        with self.models.use(**which) as version:
            for name, signature in version.model.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            spec = model_pb2.ModelSpec(name=version.name, version={"value": version.number})
        return spec, signatures

    @contextlib.contextmanager
    def recorded(self, name, api, entrypoint):
        """Records a request and its time; turns every exception into a StatusError."""
        # Unknown names share one label: clients may send any number of them.
        name = name if name in self.models.names() else ""
        begun, status = time.perf_counter(), "OK"
        try:
            yield
        except (asyncio.CancelledError, ConnectionError):
            status = "CANCELLED"  # the client has left
            raise
        except Exception as error:
            # Not kept in a variable: its traceback would keep the request in memory.
            status = of(error).code
            if status == "INTERNAL" and not isinstance(error, StatusError | tf.errors.OpError):
                logging.exception("Internal error")
            raise of(error) from error
        finally:
            self.metrics.count(name, status)
            if status == "OK":
                self.metrics.time(name, api, entrypoint, time.perf_counter() - begun)

    def close(self):
        self._parsers.shutdown(wait=False, cancel_futures=True)
        self.turns.close()


def _outputs(model, call):
    try:
        outputs = model.run(call.signature, call.inputs)
    except tf.errors.OpError as error:
        raise inputs.named_by_place(call, of(error)) from error
    return {alias: outputs[alias] for alias in call.outputs}


def which_of(spec):
    """Arguments of `models.Models.use` for a ModelSpec."""
    if not spec.name:
        raise invalid("model_spec needs the name of a model")
    choice = spec.WhichOneof("version_choice")
    return {
        "name": spec.name,
        "number": spec.version.value if choice == "version" else None,
        "label": spec.version_label if choice == "version_label" else None,
    }
