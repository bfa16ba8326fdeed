"""PyTorch networks: their depth among their outputs, and their export to ONNX."""

import contextlib
import importlib
import logging
import re
import warnings

from tfdepthviz.models.conversion.comparison import Original, weights_of
from tfdepthviz.models.conversion.outputs import depth_of, needs
from tfdepthviz.utils.errors import InputError, one_line


def check_installed(where):
    """Raises InputError unless PyTorch and what its exporter needs are installed.

    Args:
      where: the network, in the user's words.
    """
    for package in ("torch", "onnx", "onnxscript"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise needs(package, "torch", where) from error


def exported(network, images, path, name, *, output=None, resized=None):
    """Writes a PyTorch network as an ONNX file, and tells what it answers.

    Args:
      network: nn.Module, or function of an image batch (B, 3, H, W).
      images: (B, H, W, 3) array of the size and normalisation that the network sees.
      path: of the ONNX file.
      name: what messages call the network.
      output: name or number of the depth among the outputs; None: the only one, or one
        of outputs.DEPTHS.
      resized: matrices of `resampling.matrices` that bring images to the network's own size.
    Returns:
      comparison.Original.
    Raises:
      InputError: the network fails, gives no map, or torch.onnx does not know an operation in it.
    """
    import torch

    module = _depth_module(network, output, name, resized)
    image = torch.from_numpy(images.transpose(0, 3, 1, 2)).contiguous()
    original = _original(module, image, name)
    try:
        _export(module, image, path, {0: torch.export.Dim("batch")})
    except Exception:  # torch.onnx raises anything
        try:  # a network that takes one image at a time
            _export(module, image[:1], path, None)
        except Exception as error:
            raise InputError(f"{name}: {_reason(error)}") from error
    return original


def _depth_module(network, output, name, resized):
    """The network as a module, (B, 3, H, W) -> (B, h, w)."""
    import torch

    class Depth(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network
            for side, weights in zip(("rows", "columns"), resized or (None, None), strict=True):
                weights = None if weights is None else torch.tensor(weights, dtype=torch.float32)
                self.register_buffer(side, weights)

        def forward(self, image):
            if self.rows is not None:
                image = self.rows @ image @ self.columns.T
            return depth_of(self.network(image), output, name)[1]

    module = Depth().cpu().float().eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def _original(module, image, name):
    """The network's own depth and gradient, image by image."""
    import torch

    images = [one.clone().requires_grad_(True) for one in image.split(1)]
    try:
        # A product, because the network may change its image in place.
        depth = torch.cat([module(one * 1) for one in images])
    except InputError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise InputError(
            f"{name}, clause 'input': expected to take images {(1, *image.shape[1:])}. Received: "
            f"{type(error).__name__}: {one_line(error, 300)}"
        ) from error
    if not depth.requires_grad:
        raise InputError(
            f"{name}, clause 'gradient': expected one of the depth with respect to the image. "
            "Received: none at all (is there a detach or no_grad in the network?)"
        )
    result = depth.detach().numpy()
    (depth * torch.from_numpy(weights_of(result))).sum().backward()
    gradient = torch.cat([one.grad for one in images]).numpy().transpose(0, 2, 3, 1)
    return Original(result, gradient)


def _export(module, image, path, batch):
    """torch.onnx.export to a file.

    Args:
      batch: {0: Dim} if the batch may have any size; None: it has that of the image.
    """
    import torch

    with _quiet():
        program = torch.onnx.export(
            module,
            (image,),
            dynamo=True,
            dynamic_shapes=batch and (batch,),
            input_names=["image"],
            output_names=["depth"],
            verbose=False,
        )
        program.save(path, external_data=True)


@contextlib.contextmanager
def _quiet():
    """Without the notes of PyTorch's exporter, whose result is checked here."""
    was_disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(was_disabled)


def _reason(error):
    """Why torch.onnx failed, with the operation, and what to do."""
    text, cause = "", error
    while cause is not None:
        text, cause = f"{text} {cause}", cause.__cause__ or cause.__context__
    named = re.search(r"\b(?:aten|torchvision|prims)(?:::|\.)\w+", text)
    if named:
        what = f"does not translate the operation {named[0]}"
    else:
        what = f"fails ({one_line(error, 300)})"
    return (
        f"torch.onnx {what}; replace it in the network's code by other operations, or give the "
        "network as an .onnx file"
    )
