"""PyTorch networks: their depth among their outputs, and their export to ONNX."""

import contextlib
import importlib
import logging
import re
import sys
import warnings

from tfdepthviz.models.conversion.comparison import Original, weights_of
from tfdepthviz.models.conversion.outputs import depth_of, needs
from tfdepthviz.utils.errors import InputError, one_line


def check_installed(where):
    """Raises InputError unless PyTorch and what its exporter needs are installed.

    Args:
      where: the network, in the user's words.
    """
    # Triton, which PyTorch for CUDA brings along, crashes a process that has loaded TensorFlow
    # (Triton 3.8, TensorFlow 2.21). PyTorch exports without it where it cannot be imported.
    sys.modules.setdefault("triton", None)
    for package in ("torch", "onnx", "onnxscript"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise needs(package, "torch", where) from error


def exported(module, images, path, name, *, any_batch=True):
    """Writes a module of `depth_module` as an ONNX file.

    Args:
      module: nn.Module.
      images: (B, H, W, 3) array.
      path: of the ONNX file.
      name: what messages call the network.
      any_batch: whether to try for batches of any size first; a network that takes one image at a
        time is exported for one.
    Returns:
      whether the file is for batches of any size.
    Raises:
      InputError: torch.onnx does not know an operation in it.
    """
    import torch

    image = _channels_first(images)
    if any_batch:
        with contextlib.suppress(Exception):  # torch.onnx raises anything
            _export(module, image, path, {0: torch.export.Dim("batch")})
            return True
    try:
        _export(module, image[:1], path, None)
    except Exception as error:
        raise InputError(f"{name}: {_reason(error)}") from error
    return False


def depth_module(network, output, name, resized):
    """The network as a module, (B, 3, H, W) -> (B, h, w).

    Args:
      network: nn.Module, or function of an image batch (B, 3, H, W).
      output: name or number of the depth among the outputs; None: the only one, or one
        of outputs.DEPTHS.
      name: what messages call the network.
      resized: matrices of `resampling.matrices` that bring images to the network's own size.
    Returns:
      nn.Module; its call raises InputError if the network gives no map.
    """
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


def original_of(module, images, name):
    """The network's own depth and gradient, image by image.

    Args:
      module: of `depth_module`.
      images: (B, H, W, 3) array of the size and normalisation that the network sees.
      name: what messages call the network.
    Returns:
      comparison.Original.
    Raises:
      InputError: the network fails, or gives no map or no gradient.
    """
    import torch

    image = _channels_first(images)
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


def _channels_first(images):
    import torch

    return torch.from_numpy(images.transpose(0, 3, 1, 2)).contiguous()


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
    """Why torch.onnx failed, with the operation or the line of code, and what to do."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    text = " ".join(texts)
    named = re.search(r"\b(?:aten|torchvision|prims)(?:::|\.)\w+", text)
    if "data-dependent" in text:
        what = "does not translate code that asks for a value of the image"
        if places := re.findall(r'File "([^"]+)", line (\d+)', text):
            what += f" ({':'.join(places[-1])})"
    elif named:
        what = f"does not translate the operation {named[0]}"
    else:
        what = f"fails ({one_line(texts[-1], 300)})"
    return (
        f"torch.onnx {what}; replace it in the network's code by other operations, or give the "
        "network as an .onnx file"
    )
