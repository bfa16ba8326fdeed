"""A client for masks from TensorFlow Serving or `trainers.serve` over REST; needs NumPy only.

    from tfdepthviz.serving.client import MaskClient

    with MaskClient("http://localhost:8501", model="NAME") as client:
        answer = client.explain(open("photo.jpg", "rb").read())
        print(answer.sparseness, answer.depth.shape)

savedmodels/README.md describes the signatures of the model.
"""

import base64
import binascii
import urllib.parse

import numpy as np

from tfdepthviz.serving.answers import Cut, Explanation, RegionAnswer
from tfdepthviz.serving.calls import MaskSignatures
from tfdepthviz.serving.transport import JsonConnection, ServingError

__all__ = ["Cut", "Explanation", "MaskClient", "MaskSignatures", "RegionAnswer", "ServingError"]


class MaskClient(MaskSignatures):
    """An exported model behind TensorFlow Serving's REST API.

        with MaskClient("http://localhost:8501", model="NAME", version=2) as client:
            mask = client.mask(open("photo.jpg", "rb").read())

    Args:
      server: "http://HOST[:PORT]" of the REST API, or https.
      model: the name under which it is served.
      version: None for the newest, int for a version, str for a label.
      timeout: seconds to wait for a connection, for sending and for receiving.
      retries: how often to repeat a request, with growing pauses, after a refused or broken
        connection and after the statuses 429, 503 and 504.
    Raises:
      ValueError: `server` is no such address.
    """

    def __init__(self, server, model, version=None, *, timeout=60.0, retries=4):
        self.model = model
        about = f"model {model}"
        self._path = f"/v1/models/{urllib.parse.quote(model, safe='')}"
        if version is not None:
            kind = "label" if isinstance(version, str) else "version"
            about += f", {kind} {version}"
            self._path += f"/{kind}s/{urllib.parse.quote(str(version), safe='')}"
        self._connection = JsonConnection(server, timeout=timeout, retries=retries, about=about)
        self._name = f"{self._connection.server}, {about}"

    def close(self):
        """Closes the connection of this thread; the next request opens another."""
        self._connection.close()

    def status(self):
        """List of the versions, each a dict of `version`, `state` and `status`."""
        return self._asked("", "model_version_status")

    def metadata(self):
        """The server's metadata: `model_spec`, and `metadata` with the signatures."""
        return self._asked("/metadata")

    def signatures(self):
        """Signature name -> (sorted names of its inputs, sorted names of its outputs)."""
        signatures = self._asked("/metadata", "metadata", "signature_def", "signature_def")
        return {
            name: (sorted(signature.get("inputs", {})), sorted(signature.get("outputs", {})))
            for name, signature in sorted(signatures.items())
            if not name.startswith("__")
        }

    def predict(self, signature, inputs, outputs):
        request = {
            "signature_name": signature,
            "inputs": {name: _encoded(value) for name, value in inputs.items()},
        }
        try:
            answer = self._asked(":predict", "outputs", request=request)
        except ServingError as error:
            if error.status == 400:
                self._check_signature(signature, error)
            raise
        # REST sends a single output without its name.
        if not isinstance(answer, dict):
            answer = {outputs[0]: answer}
        if not set(outputs) <= set(answer):
            raise ServingError(
                f"{self._name}: signature {signature} gives {', '.join(sorted(answer))}; "
                f"expected {', '.join(outputs)}"
            )
        try:
            return {name: _decoded(value) for name, value in answer.items()}
        except (ValueError, binascii.Error) as error:
            message = f"{self._name}: signature {signature} gives no arrays ({error})"
            raise ServingError(message) from error

    def _asked(self, path, *keys, request=None):
        answer = self._connection.ask(self._path + path, request)
        for key in keys:
            if not isinstance(answer, dict) or key not in answer:
                message = f"{self._name}: no {key} in the answer; is this TensorFlow Serving?"
                raise ServingError(message, 200)
            answer = answer[key]
        return answer

    def _check_signature(self, signature, error):
        """Raises a clearer error if `error` came from a signature that the model lacks."""
        try:
            signatures = self.signatures()
        except ServingError:
            return
        if signature not in signatures:
            listed = ", ".join(f"{name} ({', '.join(i)})" for name, (i, _) in signatures.items())
            raise ServingError(
                f"{self._name}: has no signature {signature}; it has {listed or 'none'}. Models "
                "that trainers.export_savedmodel of this version writes have it",
                error.status,
            ) from error


def _encoded(value):
    """An input as JSON; pixels in [0, 1] get the digits of float32, not of float64."""
    if isinstance(value, np.ndarray):
        value = value.astype("float64")
        return (np.round(value, 8) if value.ndim > 1 else value).tolist()
    return [{"b64": base64.b64encode(item).decode("ascii")} for item in value]


def _decoded(value):
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        return [base64.b64decode(item["b64"], validate=True) for item in value]
    return value if isinstance(first, str) else np.asarray(value, "float32")
