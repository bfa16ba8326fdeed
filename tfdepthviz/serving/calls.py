"""MaskSignatures: the signatures of an exported model as methods; needs NumPy only."""

import json

import numpy as np

from tfdepthviz.serving.answers import CUT, EXPLANATION, REGION, Cut, Explanation, RegionAnswer
from tfdepthviz.utils.constants import THRESHOLD


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

    def explain_region(self, image_bytes, region, share=0.05):
        """RegionAnswer: the pixels that N needs for its depth at one place of the image.

            place = np.zeros((480, 640))
            place[170:190, 120:150] = 1
            answer = client.explain_region(open("photo.jpg", "rb").read(), place, share=0.05)
            print(answer.region_depth, answer.region_kept_depth, answer.region_deleted_depth)

        Args:
          image_bytes: contents of a JPEG or PNG file.
          region: (h, w) weights of at least 0 over the whole upright image, of any resolution.
          share: of the pixels to keep, above 0 and up to 1.
        Returns:
          RegionAnswer.
        Raises:
          ValueError: `region` is no map.
          ServingError: as `predict`; or no weight above 0 lies in the part of the image that N
            sees; or the model lacks the signature `region`, as those have that were exported
            before it existed.
        """
        region = np.asarray(region, "float32")
        if region.ndim != 2 or not region.size:
            raise ValueError(f"region must be (h, w) weights. Received: shape {region.shape}")
        inputs = {
            "image_bytes": [image_bytes],
            "region": region[np.newaxis],
            "share": np.array([share], "float32"),
        }
        outputs = self.predict("region", inputs, REGION)
        return RegionAnswer(
            **{name: _map(v) if np.ndim(v) > 1 else float(v[0]) for name, v in outputs.items()}
        )

    def card(self):
        """The model's card, dict: its N, its G, their data, and what was measured.

        Raises:
          ServingError: as `predict`.
        """
        (text,) = self.predict("card", {"field": [b""]}, ("card_json",))["card_json"]
        return json.loads(text)


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
