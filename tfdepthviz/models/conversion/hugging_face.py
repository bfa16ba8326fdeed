"""Depth-estimation models of Hugging Face: the network, and the preprocessing that it expects."""

import dataclasses

import numpy as np

from tfdepthviz.models.conversion.outputs import needs
from tfdepthviz.models.conversion.resampling import matrices
from tfdepthviz.utils.errors import InputError, one_line

# Pillow's numbers of resampling filters, as preprocessing files hold them -> mode of Resize.
FILTERS = {0: "nearest", 2: "linear", 3: "cubic"}
# Sides of images that models see are not longer.
LONGEST = 10_000
# What the depth of a kind of model means; others do not say it.
# Depth Pro gives inverse depth, which its post-processing turns into metres by the focal length.
DEPTH_KINDS = {"zoedepth": "metric", "glpn": "metric", "depth_pro": "inverse"}


@dataclasses.dataclass(frozen=True)
class HuggingFace:
    """A depth-estimation model.

    Attributes:
      network: nn.Module.
      preprocessing: dict, as preprocessor_config.json holds it.
      depth_kind: "metric" or "inverse"; None: the model does not say it.
      missing: names of the weights that the files lack; they are NaN in the network.
    """

    network: object
    preprocessing: dict
    depth_kind: str | None
    missing: tuple = ()

    def steps(self, size, name):
        """`normalisation` and `resized`.

        Args:
          size: (H, W) of the image.
          name: what messages call the network.
        Raises:
          InputError: the preprocessing lacks something, or is not known here.
        """
        try:
            return self.normalisation, self.resized(size)
        except Exception as error:  # the file may hold anything
            reason = one_line(error, 300)
            if not isinstance(error, InputError):
                reason = f"{type(error).__name__}: {reason}"
            raise InputError(
                f"{name}: its preprocessor_config.json cannot be used ({reason})"
            ) from error

    @property
    def normalisation(self):
        """(mean, std) of RGB from 0 to 1, each a list of three numbers."""
        settings = self.preprocessing
        scale = 255 * settings.get("rescale_factor", 1 / 255) if _does(settings, "rescale") else 255
        if not _does(settings, "normalize"):
            return [0.0] * 3, [1 / scale] * 3
        mean, std = (np.broadcast_to(settings[f"image_{n}"], 3) for n in ("mean", "std"))
        return [float(m) / scale for m in mean], [float(s) / scale for s in std]

    def resized(self, size):
        """The matrices that bring images to the size that the model sees; None: they stay.

        Args:
          size: (H, W) of the image.
        """
        wanted = model_size(self.preprocessing, size)
        if not all(0 < n <= LONGEST for n in wanted):
            raise InputError(f"size: expected 1 to {LONGEST}. Received: {wanted}")
        if wanted == tuple(size):
            return None
        mode = FILTERS.get(self.preprocessing.get("resample", 2))
        if mode is None:
            raise InputError(f"resample={self.preprocessing['resample']}: expected 0, 2 or 3")
        processor = str(self.preprocessing.get("image_processor_type"))
        if processor.startswith("ZoeDepth"):
            return matrices(wanted, size, mode, "align_corners")
        if processor.startswith("DepthPro"):
            return matrices(wanted, size, mode)
        # Pillow's filters; its cubic one has -0.5, and it widens filters where images shrink.
        how = {} if mode == "nearest" else {"antialias": 1, "cubic_coeff_a": -0.5}
        return matrices(wanted, size, mode, nearest_mode="round_prefer_ceil", **how)


def model_size(settings, size):
    """(H, W) of the image that a model sees, by its preprocessing.

    Args:
      settings: dict of preprocessor_config.json.
      size: (H, W) of the image before.
    """
    if not _does(settings, "resize") or not (settings.get("size") or settings.get("size_divisor")):
        return tuple(size)
    multiple = settings.get("ensure_multiple_of") or 1
    if divisor := settings.get("size_divisor"):  # GLPN: the next smaller multiple
        return tuple(n // divisor * divisor for n in size)
    wanted = settings["size"]
    if isinstance(wanted, int):
        wanted = {"height": wanted, "width": wanted}
    if "shortest_edge" in wanted:
        factor = wanted["shortest_edge"] / min(size)
        factors = [factor, factor]
    else:
        factors = [wanted["height"] / size[0], wanted["width"] / size[1]]
        if settings.get("keep_aspect_ratio"):  # by the factor that changes the image least
            factors = [min(factors, key=lambda f: abs(1 - f))] * 2
    return tuple(
        max(multiple, round(factor * n / multiple) * multiple)
        for factor, n in zip(factors, size, strict=True)
    )


def opened(where, name):
    """Opens a model of a folder, or of the hub.

    Args:
      where: folder, or the name of a model on the hub.
      name: what messages call it.
    Returns:
      HuggingFace.
    Raises:
      InputError: transformers is missing, or finds no such model.
    """
    try:
        import transformers
        from transformers.image_processing_utils import BaseImageProcessor
    except ImportError as error:
        raise needs("transformers", "torch", name) from error
    try:
        network, loaded = transformers.AutoModelForDepthEstimation.from_pretrained(
            where, output_loading_info=True
        )
        missing = tuple(sorted(loaded["missing_keys"]))
        preprocessing, _ = BaseImageProcessor.get_image_processor_dict(where)
    except Exception as error:  # a download may fail in any way
        raise InputError(
            f"{name}: does not load as a depth-estimation model ({one_line(error, 300)})"
        ) from error
    config = network.config
    kind = DEPTH_KINDS.get(config.model_type)
    if config.model_type == "depth_anything":
        relative = getattr(config, "depth_estimation_type", "relative") == "relative"
        kind = "inverse" if relative else "metric"
    # Transformers makes up what is missing; NaN shows whether the network uses it.
    weights = network.state_dict()
    for weight in (weights[key] for key in missing if key in weights):
        if weight.is_floating_point():
            weight.fill_(np.nan)
    return HuggingFace(network, preprocessing, kind, missing)


def _does(settings, what):
    """Whether a step is on; files of old leave out those that always are."""
    return settings.get(f"do_{what}", what != "normalize")
