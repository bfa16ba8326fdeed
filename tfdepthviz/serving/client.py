"""Masks from TensorFlow Serving or from `trainers.serve`, over REST; needs NumPy, no TensorFlow.

    from tfdepthviz.serving.client import MaskClient

    with MaskClient("http://localhost:8501", model="NAME") as client:
        answer = client.explain(open("photo.jpg", "rb").read())
        print(answer.sparseness, answer.depth.shape)

savedmodels/README.md describes the signatures of the model that are asked.
"""

import base64
import binascii
import dataclasses
import json
import urllib.parse

import numpy as np

from tfdepthviz.serving.transport import JsonConnection, ServingError

DEFAULT_THRESHOLD = 0.025


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What G and N say about one image; maps are (rows, columns) float32.

    Attributes:
      mask: M = G(I) in [0, 1]: how much N needs the pixel.
      binary_mask: M' = [M > threshold], 0 or 1.
      depth: N(I), in the unit of N; see `depth_kind` of the card.
      masked_depth: N(I * M), the same.
      sparseness: share of ones in M'.
    """

    mask: np.ndarray
    binary_mask: np.ndarray
    depth: np.ndarray
    masked_depth: np.ndarray
    sparseness: float


@dataclasses.dataclass(frozen=True)
class Cut:
    """What is left of the depth at one threshold; maps are (H, W) float32, N's input size.

    Attributes:
      binary_mask: M' = [M > threshold], 0 or 1.
      binary_depth: N(I * M'), in the unit of N.
      sparseness: share of ones in M'.
      fidelity_rmse: RMSE of N(I * M') against N(I), in the unit of N.
    """

    binary_mask: np.ndarray
    binary_depth: np.ndarray
    sparseness: float
    fidelity_rmse: float


EXPLANATION = tuple(field.name for field in dataclasses.fields(Explanation))
CUT = tuple(field.name for field in dataclasses.fields(Cut))


class MaskSignatures:
    """The signatures of an exported model as methods; a subclass says how `predict` asks them.

    Images are `image_bytes`, the contents of a JPEG or PNG file, whose maps come at N's input size
    (H, W), or `rgb`: (h, w, 3) uint8, or float in [0, 1], whose maps come at (h, w).
    """

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Gives back what is held open; a further question opens it again."""

    def predict(self, signature, inputs, outputs):
        """Asks one signature.

        Args:
          signature: its name.
          inputs: dict of input name -> list of bytes, or array, with a batch axis.
          outputs: names of the outputs that are wanted.
        Returns:
          dict of output name -> float32 array, or list of str or bytes, with a batch axis.
        Raises:
          ServingError: no answer, or not this one.
        """
        raise NotImplementedError

    def explain(self, image_bytes, threshold=DEFAULT_THRESHOLD):
        """Explanation of the image in a file, maps at N's input size.

        Raises:
          ServingError: no answer, or not this one.
        """
        inputs = {"image_bytes": [image_bytes]}
        return _explanation(self.predict("image_bytes", inputs, EXPLANATION), threshold)

    def explain_array(self, rgb, threshold=DEFAULT_THRESHOLD):
        """Explanation of an array, maps at its size.

        At another threshold than the default one, M' and sparseness are those of the mask as it
        comes, which is interpolated to the size of the array.

        Raises:
          ValueError: no image.
          ServingError: no answer, or not this one.
        """
        inputs = {"image": _image_batch(rgb)}
        return _explanation(self.predict("serving_default", inputs, EXPLANATION), threshold)

    def mask(self, image_bytes):
        """M of the image in a file, (H, W) float32: G alone, so faster. Raises as `explain`."""
        return _map(self.predict("mask_bytes", {"image_bytes": [image_bytes]}, ("mask",))["mask"])

    def mask_array(self, rgb):
        """M of an array, (h, w) float32: G alone, so faster. Raises as `explain_array`."""
        return _map(self.predict("mask", {"image": _image_batch(rgb)}, ("mask",))["mask"])

    def overlay(self, image_bytes):
        """The image with its mask laid over it, bytes of a PNG file. Raises as `explain`."""
        inputs = {"image_bytes": [image_bytes]}
        return self.predict("overlay", inputs, ("overlay_bytes",))["overlay_bytes"][0]

    def cut(self, image_bytes, threshold=DEFAULT_THRESHOLD):
        """Cut: what N still sees from the pixels above `threshold`. Raises as `explain`."""
        inputs = {"image_bytes": [image_bytes], "threshold": np.array([threshold], "float32")}
        got = self.predict("threshold", inputs, CUT)
        maps = {name: _map(got[name]) for name in ("binary_mask", "binary_depth")}
        return Cut(
            **maps, **{name: float(got[name][0]) for name in ("sparseness", "fidelity_rmse")}
        )

    def card(self):
        """What N, G and data the model was made of, and what was measured, dict.

        Raises:
          ServingError: no answer, or not this one.
        """
        (text,) = self.predict("card", {"field": [b""]}, ("card_json",))["card_json"]
        return json.loads(text)


class MaskClient(MaskSignatures):
    """An exported model behind TensorFlow Serving's REST API.

    Args:
      server: "http://HOST[:PORT]" of the REST API, or https.
      model: the name under which it is served.
      version: None for the newest, int for a version, str for a label.
      timeout: seconds to wait for the server to accept, to take or to send anything.
      retries: how often a question is repeated after a refused or broken connection and after the
        answers 429, 503 and 504, with growing pauses.
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
        """Closes the connection of this thread; the next question opens another."""
        self._connection.close()

    def status(self):
        """List of the versions: dicts of `version`, `state` and `status`, as the server says."""
        return self._asked("", "model_version_status")

    def metadata(self):
        """The server's answer about the model: `model_spec`, and `metadata` with the signatures."""
        return self._asked("/metadata")

    def signatures(self):
        """Signature name -> sorted names of its inputs and of its outputs, two lists."""
        found = self._asked("/metadata", "metadata", "signature_def", "signature_def")
        return {
            name: (sorted(signature.get("inputs", {})), sorted(signature.get("outputs", {})))
            for name, signature in sorted(found.items())
            if not name.startswith("__")
        }

    def predict(self, signature, inputs, outputs):
        question = {
            "signature_name": signature,
            "inputs": {name: _encoded(value) for name, value in inputs.items()},
        }
        try:
            answer = self._asked(":predict", "outputs", question=question)
        except ServingError as error:
            if error.status == 400:
                self._check_signature(signature, error)
            raise
        # A single output comes without its name.
        if not isinstance(answer, dict):
            answer = {outputs[0]: answer}
        if not set(outputs) <= set(answer):
            raise ServingError(
                f"{self._name}: signature {signature} gives {', '.join(sorted(answer))}; "
                f"expected {', '.join(outputs)}"
            )
        try:
            return {name: _decoded(answer[name]) for name in outputs}
        except (ValueError, binascii.Error) as error:
            message = f"{self._name}: signature {signature} gives no arrays ({error})"
            raise ServingError(message) from error

    def _asked(self, path, *keys, question=None):
        answer = self._connection.ask(self._path + path, question)
        for key in keys:
            if not isinstance(answer, dict) or key not in answer:
                message = f"{self._name}: no {key} in the answer; is this TensorFlow Serving?"
                raise ServingError(message, 200)
            answer = answer[key]
        return answer

    def _check_signature(self, signature, error):
        """Raises what `error` is about if the model has no such signature."""
        try:
            there = self.signatures()
        except ServingError:
            return
        if signature not in there:
            listed = ", ".join(f"{name} ({', '.join(took)})" for name, (took, _) in there.items())
            raise ServingError(
                f"{self._name}: has no signature {signature}; it has {listed or 'none'}. Models "
                "exported by trainers.export_savedmodel have it",
                error.status,
            ) from error


def _encoded(value):
    """As REST has it; floats in [0, 1] with digits for float32, not for float64."""
    if isinstance(value, np.ndarray):
        return np.round(value.astype("float64"), 8).tolist()
    return [{"b64": base64.b64encode(item).decode("ascii")} for item in value]


def _decoded(value):
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        return [base64.b64decode(item["b64"], validate=True) for item in value]
    return value if isinstance(first, str) else np.asarray(value, "float32")


def _explanation(got, threshold):
    maps = {name: _map(got[name]) for name in EXPLANATION if name != "sparseness"}
    sparseness = float(got["sparseness"][0])
    if threshold != DEFAULT_THRESHOLD:
        maps["binary_mask"] = (maps["mask"] > np.float32(threshold)).astype("float32")
        sparseness = float(maps["binary_mask"].mean())
    return Explanation(**maps, sparseness=sparseness)


def _map(batch):
    return batch[0, ..., 0]


def _image_batch(rgb):
    image = np.asarray(rgb)
    if image.ndim != 3 or image.shape[-1] != 3 or not image.size:
        raise ValueError(f"an image must be (h, w, 3). Received: shape {image.shape}")
    if image.dtype == np.uint8:
        image = image.astype("float32") / 255
    if image.dtype.kind != "f":
        raise ValueError(f"an image must be uint8, or float in [0, 1]. Received: {image.dtype}")
    return image[None].astype("float32")
