"""PredictionService and ModelService over gRPC."""

import asyncio
import functools
import logging

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from tfdepthviz.serving.server.status import of

# A status travels in headers, which clients limit to 8 KB.
_LONGEST_TEXT = 2000


def add_services(server, service, workers):
    """Adds both services to a grpc.aio.Server.

    Args:
      server: grpc.aio.Server.
      service: `service.Service`.
      workers: `limits.Workers`.
    """
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Prediction(service, workers), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Model(service), server)


class Unparsed(grpc.aio.ServerInterceptor):
    """Answers unparsable messages as other gRPC servers do; grpc.aio names a Python exception."""

    async def intercept_service(self, continuation, details):
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        def parse(contents):
            try:
                return handler.request_deserializer(contents)
            except DecodeError:
                return None

        async def answer(request, context):
            if request is None:
                text = "Request message cannot be parsed"
                await context.abort(grpc.StatusCode.INTERNAL, text)
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, parse, handler.response_serializer)


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, service, workers):
        self._service, self._workers = service, workers

    async def Predict(self, request, context):
        spec = request.model_spec
        return await self._run("Predict", self._service.predict, spec, request, context)

    async def Classify(self, request, context):
        spec = request.model_spec
        return await self._run("Classify", self._service.classify, spec, request, context)

    async def Regress(self, request, context):
        spec = request.model_spec
        return await self._run("Regress", self._service.regress, spec, request, context)

    async def MultiInference(self, request, context):
        spec = request.tasks[0].model_spec if request.tasks else None
        run = self._service.multi_inference
        return await self._run("MultiInference", run, spec, request, context)

    async def GetModelMetadata(self, request, context):
        try:
            return self._service.metadata(request)
        except Exception as error:
            await _abort(context, error)

    async def _run(self, api, function, spec, request, context):
        def answer():
            with self._service.recorded(spec.name if spec else "", api, "GRPC"):
                return function(request)

        try:
            return await self._workers.run(answer)
        except Exception as error:
            await _abort(context, error)


class _Model(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, service):
        self._service = service

    async def GetModelStatus(self, request, context):
        try:
            return self._service.model_status(request)
        except Exception as error:
            await _abort(context, error)

    async def HandleReloadConfigRequest(self, request, context):
        # In its own thread: it waits for models to load, and must work when all workers are busy.
        reload = functools.partial(self._service.reload_config, request, context.time_remaining())
        try:
            return await asyncio.to_thread(reload)
        except Exception as error:
            await _abort(context, error)


async def _abort(context, error):
    if isinstance(error, grpc.aio.AbortError):
        raise error
    known = of(error)
    if known.code == "INTERNAL" and known is not error:
        logging.exception("Internal error", exc_info=error)
    await context.abort(getattr(grpc.StatusCode, known.code), known.message[:_LONGEST_TEXT])
