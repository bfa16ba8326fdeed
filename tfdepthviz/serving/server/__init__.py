"""The embedded server: the Predict part of TensorFlow Serving's API, in one process.

    from tfdepthviz.serving import server

    server.serve(server.Options(model_name="masks", model_base_path="savedmodels/masks"))

`Options` and `Limits` need the standard library only; `serve` and `running` need the extra
`serving`.
"""

from tfdepthviz.serving.server.options import Limits, Options

__all__ = ["Limits", "Options", "running", "serve"]


def serve(options, announce=None):
    """Serves until SIGTERM or SIGINT, then lets requests under way finish.

    Args:
      options: `Options`.
      announce: function that is called once models serve, with an object that has the addresses
        `rest_address` and `grpc_address`, "host:port".
    Returns:
      bool, whether all requests under way finished in time.
    Raises:
      InputError: nothing can be served, or an address cannot be listened on. The message begins
        with the name of the option.
      ImportError: the extra `serving` is not installed.
    """
    from tfdepthviz.serving.server import lifecycle

    return lifecycle.serve(options, announce)


def running(options):
    """A server in a thread, for tests: a context manager of what `announce` gets. Raises alike."""
    from tfdepthviz.serving.server import lifecycle

    return lifecycle.running(options)
