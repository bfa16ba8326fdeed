"""gRPC API: TensorFlow Serving's Predict, GetModelMetadata and GetModelStatus."""

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from tfdepthviz.serving.server.service import which_of
from tfdepthviz.serving.server.status import invalid

PREDICTION = "tensorflow.serving.PredictionService"
MODEL = "tensorflow.serving.ModelService"
# A status travels in headers, which clients limit to 8 KB.
_LONGEST_TEXT = 2000


def add_services(server, service):
    """Adds `service.Service` to a grpc.aio.Server; its other methods are UNIMPLEMENTED."""

    async def predict(request, context):
        # "ipv4:127.0.0.1:5000": without the port, all connections of a client are one.
        client = context.peer().rpartition(":")[0]
        return await service.predict(
            which_of(request.model_spec),
            client.removeprefix("ipv4:"),
            lambda version: service.read_message(version, request),
        )

    async def metadata(request, context):
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid('metadata_field must be ["signature_def"]')
        spec, signatures = service.signatures(which_of(request.model_spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=spec)
        response.metadata["signature_def"].Pack(signatures)
        return response

    async def status(request, context):
        return service.models.status(**which_of(request.model_spec))

    def handler(function, api, request_type):
        async def answer(request, context):
            if request is None:
                await context.abort(grpc.StatusCode.INTERNAL, "Request message cannot be parsed")
            try:
                with service.recorded(request.model_spec.name, api, "GRPC"):
                    return await function(request, context)
            except Exception as error:
                code = getattr(grpc.StatusCode, error.code)
                await context.abort(code, error.message[:_LONGEST_TEXT])

        def parse(contents):
            try:
                return request_type.FromString(contents)
            except DecodeError:  # grpc.aio would name a Python exception to the client
                return None

        return grpc.unary_unary_rpc_method_handler(
            answer, parse, lambda response: response.SerializeToString()
        )

    metadata_request = get_model_metadata_pb2.GetModelMetadataRequest
    methods = {
        "Predict": handler(predict, "Predict", predict_pb2.PredictRequest),
        "GetModelMetadata": handler(metadata, "", metadata_request),
    }
    states = {"GetModelStatus": handler(status, "", get_model_status_pb2.GetModelStatusRequest)}
    for name, handlers in ((PREDICTION, methods), (MODEL, states)):
        generic = grpc.method_handlers_generic_handler(name, handlers)
        server.add_generic_rpc_handlers((generic,))
