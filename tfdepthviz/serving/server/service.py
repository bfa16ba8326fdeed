"""Methods of PredictionService and ModelService on the loaded models.

Each may take long and is called in a thread. Requests and answers are protocol buffers; `rest`
converts JSON.
"""

import logging
import time
from contextlib import contextmanager

import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from tfdepthviz.serving.server import example_inference, image_headers, inference
from tfdepthviz.serving.server.limits import Memory
from tfdepthviz.serving.server.status import StatusError, invalid, of
from tfdepthviz.serving.server.tensor_protos import fill, stated_bytes, to_array


class Service:
    """The methods that clients call.

    Args:
      manager: `manager.Manager`.
      metrics: `monitoring.Metrics`.
      limits: `options.Limits`.
    """

    def __init__(self, manager, metrics, limits):
        self.manager, self.metrics, self.limits = manager, metrics, limits
        self.memory = Memory(limits)

    def predict(self, request):
        spec = request.model_spec
        # Three copies: the message, its arrays, and an answer that is likely as large.
        held = self.memory.hold(3 * sum(map(stated_bytes, request.inputs.values())))
        with held, self.manager.use(spec) as version:
            signature = inference.find_signature(version.model, spec.signature_name)
            inputs = {
                alias: to_array(alias, proto, 2 * self.limits.max_body_bytes)
                for alias, proto in request.inputs.items()
            }
            outputs = self.run_predict(version, signature, inputs, request.output_filter)
            response = predict_pb2.PredictResponse()
            inference.fill_model_spec(response.model_spec, spec, version.number)
            for alias, array in outputs.items():
                fill(response.outputs[alias], array)
            return response

    def run_predict(self, version, signature, inputs, output_filter=(), api="Predict"):
        """Outputs of a signature, after a check of the images' sizes."""
        image_headers.check_pixels(inputs.values(), self.limits.max_image_pixels)
        with self._timed(version, api):
            return inference.predict(version.model, signature, inputs, output_filter)

    def classify(self, request, api="Classify"):
        response = classification_pb2.ClassificationResponse()
        return self._on_examples(request, response, example_inference.classify, api)

    def regress(self, request, api="Regress"):
        response = regression_pb2.RegressionResponse()
        return self._on_examples(request, response, example_inference.regress, api)

    def multi_inference(self, request):
        if not request.tasks:
            raise invalid("ModelSpec has no name specified.")
        with self.manager.use(request.tasks[0].model_spec) as version:
            examples = self._examples(version.name, request.input)
            with self._timed(version, "MultiInference"):
                return example_inference.multi_inference(
                    version.model, request.tasks, examples, version.number
                )

    def metadata(self, request):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise invalid(f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = get_model_metadata_pb2.SignatureDefMap()
        with self.manager.use(request.model_spec) as version:
            for name, signature in version.model.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
            response.model_spec.name = version.name
            response.model_spec.version.value = version.number
        response.metadata["signature_def"].Pack(signatures)
        return response

    def model_status(self, request):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return self.manager.status(request.model_spec)

    def reload_config(self, request, timeout=None):
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported"
            )
        self.manager.reload(request.config, timeout)
        return model_management_pb2.ReloadConfigResponse()

    @contextmanager
    def recorded(self, name, api, entrypoint):
        """Records a request and its time; turns every exception into a StatusError."""
        # Unknown names share one label: clients may send any number of them.
        name = name if name in self.manager.names() else ""
        begun, status = time.perf_counter(), "OK"
        try:
            yield
        except Exception as error:
            status = of(error).code
            # Not kept in a variable: its traceback would keep the request in memory.
            if isinstance(error, StatusError):
                raise
            if status == "INTERNAL" and not isinstance(error, tf.errors.OpError):
                logging.exception("Internal error")
            raise of(error) from error
        finally:
            self.metrics.record("serving:request_count", 1, name, status)
            if status == "OK":
                elapsed = (time.perf_counter() - begun) * 1e6
                self.metrics.record("serving:request_latency", elapsed, name, api, entrypoint)

    def _on_examples(self, request, response, run, api):
        spec = request.model_spec
        with self.manager.use(spec) as version:
            examples = self._examples(version.name, request.input)
            with self._timed(version, api):
                result = run(version.model, spec.signature_name, examples)
            response.result.CopyFrom(result)
            inference.fill_model_spec(response.model_spec, spec, version.number)
            return response

    def _examples(self, name, model_input):
        files = (c for feature in _features(model_input) for c in feature.bytes_list.value)
        image_headers.check_files(files, self.limits.max_image_pixels)
        examples = example_inference.serialized_examples(model_input)
        self.metrics.record("serving:request_example_counts", len(examples), name)
        self.metrics.record("serving:request_example_count_total", len(examples), name)
        return examples

    @contextmanager
    def _timed(self, version, api):
        begun = time.perf_counter()
        yield
        elapsed = (time.perf_counter() - begun) * 1e6
        self.metrics.record("serving:runtime_latency", elapsed, version.name, api, "TF1")


def _features(model_input):
    examples = [*model_input.example_list.examples]
    examples += model_input.example_list_with_context.examples
    examples.append(model_input.example_list_with_context.context)
    for example in examples:
        yield from example.features.feature.values()
