"""A client for masks from TensorFlow Serving or `trainers.serve` over REST; needs NumPy only.

    from tfdepthviz.serving.client import MaskClient

    with MaskClient("http://localhost:8501", model="NAME") as client:
        answer = client.explain(open("photo.jpg", "rb").read())
        print(answer.sparseness, answer.depth.shape)

savedmodels/README.md describes the signatures of the model.
"""

import base64
import binascii
import dataclasses
import json
import urllib.parse

import numpy as np

from tfdepthviz.serving.transport import JsonConnection, ServingError
from tfdepthviz.utils.constants import THRESHOLD


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The mask and the depth of one image; maps are (h, w) float32.

    Attributes:
      mask: M = G(I) in [0, 1]: how much N needs the pixel.
      binary_mask: M' = [M > threshold], 0 or 1.
      depth: N(I), in the unit of N (the card's `depth_kind`).
      masked_depth: N(I * M), in the same unit.
      sparseness: share of ones in M'.
      covered: share of the image in the centred window of N's aspect ratio, which is all that N and
        G see; 1 for an image of that ratio, NaN for a model from before it was given.
    """

    mask: np.ndarray
    binary_mask: np.ndarray
    depth: np.ndarray
    masked_depth: np.ndarray
    sparseness: float
    covered: float = float("nan")


@dataclasses.dataclass(frozen=True)
class Cut:
    """The depth that N sees from one binary mask; maps are (H, W) float32, N's input size.

    Attributes:
      binary_mask: M', 0 or 1: [M > threshold], or a share of the pixels with the highest scores.
      binary_depth: N(I * M'), in the unit of N.
      sparseness: share of ones in M'.
      fidelity_rmse: RMSE of N(I * M') against N(I), in the unit of N.
      covered: as of `Explanation`.
    """

    binary_mask: np.ndarray
    binary_depth: np.ndarray
    sparseness: float
    fidelity_rmse: float
    covered: float = float("nan")


EXPLANATION, CUT = (
    tuple(field.name for field in dataclasses.fields(kind) if field.name != "covered")
    for kind in (Explanation, Cut)
)


class MaskSignatures:
    """The signatures of an exported model as methods; a subclass defines how `predict` calls them.

    An image is `image_bytes` or `rgb`. `image_bytes` is the contents of a JPEG or PNG file; its
    maps have N's input size (H, W). `rgb` is an array (h, w, 3), uint8 or float in [0, 1]; its maps
    have its own size (h, w).
    """

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Releases connections; a later call opens them again."""

    def predict(self, signature, inputs, outputs):
        """Calls one signature.

        Args:
          signature: its name.
          inputs: dict of input name -> list of bytes, or array, with a batch axis.
          outputs: names of the outputs that are needed.
        Returns:
          dict of output name -> float32 array, or list of str or bytes, with a batch axis.
        Raises:
          ServingError: the server gives no answer, or refuses.
        """
        raise NotImplementedError

    def explain(self, image_bytes, threshold=THRESHOLD):
        """Explanation of the image in a file, with maps at N's input size.

        Args:
          image_bytes: contents of a JPEG or PNG file.
          threshold: where M' cuts M, 0 to 1.
        Returns:
          Explanation.
        Raises:
          ServingError: as `predict`.
        """
        inputs = {"image_bytes": [image_bytes]}
        return _explanation(self.predict("image_bytes", inputs, EXPLANATION), threshold)

    def explain_array(self, rgb, threshold=THRESHOLD):
        """Explanation of an array, with maps at its size.

        The server interpolates M to the size of the array. At the default threshold it also sends
        M' and sparseness; at any other, both are computed here from the interpolated M.

        Args:
          rgb: (h, w, 3) uint8, or float in [0, 1].
          threshold: where M' cuts M, 0 to 1.
        Returns:
          Explanation.
        Raises:
          ValueError: `rgb` is no such array.
          ServingError: as `predict`.
        """
        inputs = {"image": _image_batch(rgb)}
        return _explanation(self.predict("serving_default", inputs, EXPLANATION), threshold)

    def mask(self, image_bytes):
        """M of the image in a file, (H, W) float32. Runs G only: faster. Raises as `explain`."""
        return _map(self.predict("mask_bytes", {"image_bytes": [image_bytes]}, ("mask",))["mask"])

    def mask_png(self, image_bytes):
        """M of the image in a file as a grey picture, bytes of a PNG file; 255 is 1.

        The answer over REST is some ten times smaller than that of `mask`, and has 256 levels.

            levels = PIL.Image.open(io.BytesIO(client.mask_png(image_bytes)))

        Raises:
          ServingError: as `predict`.
        """
        inputs = {"image_bytes": [image_bytes]}
        return self.predict("mask_png", inputs, ("mask_png_bytes",))["mask_png_bytes"][0]

    def mask_array(self, rgb):
        """M of an array, (h, w) float32. Runs G only: faster. Raises as `explain_array`."""
        return _map(self.predict("mask", {"image": _image_batch(rgb)}, ("mask",))["mask"])

    def overlay(self, image_bytes):
        """The image with its mask drawn over it, bytes of a PNG file. Raises as `explain`."""
        inputs = {"image_bytes": [image_bytes]}
        return self.predict("overlay", inputs, ("overlay_bytes",))["overlay_bytes"][0]

    def cut(self, image_bytes, threshold=THRESHOLD):
        """Cut: the depth that N sees from the pixels with M > `threshold`. Raises as `explain`."""
        return self._cut("threshold", image_bytes, threshold)

    def keep(self, image_bytes, share):
        """The depth that N sees from a share of the pixels, those with the highest scores of G.

            for cut in client.keep(open("photo.jpg", "rb").read(), [0.05, 0.2, 0.36]):
                print(f"{cut.sparseness:.0%} of the pixels: off by {cut.fidelity_rmse:.2f}")

        Args:
          image_bytes: contents of a JPEG or PNG file.
          share: number above 0 and up to 1: exactly round(share*H*W) pixels are kept. Or a list of
            such numbers, each of which is a request of its own.
        Returns:
          Cut; for a list of shares, a list of as many.
        Raises:
          ServingError: as `predict`; or the model lacks the signature `share`, as those have that
            were exported before it existed.
        """
        if np.ndim(share):
            return [self._cut("share", image_bytes, one) for one in share]
        return self._cut("share", image_bytes, share)

    def _cut(self, by, image_bytes, number):
        inputs = {"image_bytes": [image_bytes], by: np.array([number], "float32")}
        outputs = self.predict(by, inputs, CUT)
        maps = {name: _map(outputs[name]) for name in ("binary_mask", "binary_depth")}
        numbers = {name: float(outputs[name][0]) for name in ("sparseness", "fidelity_rmse")}
        return Cut(**maps, **numbers, covered=_covered(outputs))

    def card(self):
        """The model's card, dict: its N, its G, their data, and what was measured.

        Raises:
          ServingError: as `predict`.
        """
        (text,) = self.predict("card", {"field": [b""]}, ("card_json",))["card_json"]
        return json.loads(text)


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


def _explanation(outputs, threshold):
    maps = {name: _map(outputs[name]) for name in EXPLANATION if name != "sparseness"}
    sparseness = float(outputs["sparseness"][0])
    if threshold != THRESHOLD:
        maps["binary_mask"] = (maps["mask"] > np.float32(threshold)).astype("float32")
        sparseness = float(maps["binary_mask"].mean())
    return Explanation(**maps, sparseness=sparseness, covered=_covered(outputs))


def _covered(outputs):
    return float(outputs["covered"][0]) if "covered" in outputs else float("nan")


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
