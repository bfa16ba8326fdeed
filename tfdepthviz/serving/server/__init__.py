"""The embedded server: TensorFlow Serving's Predict API over REST and gRPC, in one process.

    from tfdepthviz.serving import server

    models = server.single_model("my_masks", "savedmodels/my_masks")
    with server.running(server.Options(models)) as started:
        print(started.rest_address, started.grpc_address)

`Options`, `Limits` and `Batching` come with the library; the rest needs the extra `serving`.
"""

import importlib

from tfdepthviz.serving.server.options import RUNS_AT_ONCE, Batching, Limits, Options

# Name -> module. Loaded when asked for: these modules import aiohttp, gRPC and TensorFlow.
_HOMES = {
    "SavedModel": "saved_model",
    "Server": "lifecycle",
    "predict": "inference",
    "read_batching": "config_files",
    "read_models": "config_files",
    "read_monitoring": "config_files",
    "running": "lifecycle",
    "serve": "lifecycle",
    "single_model": "config_files",
}
__all__ = ["Batching", "Limits", "Options", "RUNS_AT_ONCE", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
