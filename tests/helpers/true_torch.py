"""Writes and reads files with the true PyTorch, for models/porting/test_true_torch.py.

    python tests/helpers/true_torch.py write FOLDER
    python tests/helpers/true_torch.py read FILE.npz CHECKPOINT...
    python tests/helpers/true_torch.py encoders FOLDER

It runs as a process of its own: PyTorch and TensorFlow may clash in one process, and PyTorch may be
installed in another environment. No other file of the tests imports it.
"""

import collections
import pathlib
import sys

import numpy as np
import torch

FORMATS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}


class Runs:
    def __reduce__(self):
        return print, ("executed",)


def network():
    """A network with names like DenseNet's and ResNet's, old batch counters included."""
    torch.manual_seed(0)
    layer = torch.nn.Sequential(
        collections.OrderedDict(norm1=torch.nn.BatchNorm2d(3), conv1=torch.nn.Conv2d(3, 4, 3))
    )
    net = torch.nn.Sequential(collections.OrderedDict(denselayer1=layer, fc=torch.nn.Linear(4, 2)))
    net.denselayer1.norm1.running_var.uniform_(0.5, 1.5)
    return net


def write(folder):
    """Writes <name>.<format>.pth, and its arrays as <name>.npz; refused_* has none."""
    net = network()
    state = net.state_dict()
    optimizer = torch.optim.Adam(net.parameters())
    sum(p.square().sum() for p in net.parameters()).backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    values = torch.arange(24.0)
    shared = {"a": values[2:8], "b": values.view(4, 6).t(), "c": values[::3], "all": values}
    kinds = [torch.bfloat16, torch.half, torch.double, torch.int, torch.uint8, torch.bool]
    wrapped = {
        "epoch": 3,
        "best": torch.tensor(0.5),
        "state_dict": torch.nn.DataParallel(net).state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }
    contents = {
        "state": (state, state),
        "wrapped": (wrapped, wrapped["state_dict"]),
        "parameters": ({"model": dict(net.named_parameters())}, dict(net.named_parameters())),
        "shared": (shared, shared),
        "kinds": ({str(kind): values.to(kind) for kind in kinds},) * 2,
        "odd": ({"scalar": torch.tensor(7), "empty": torch.zeros(0, 3), "epoch": 3},) * 2,
        "refused_whole": (net, None),
        "refused_call": ({"a": values, "b": Runs()}, None),
    }
    for name, (content, expected) in contents.items():
        for kind, options in FORMATS.items():
            torch.save(content, folder / f"{name}.{kind}.pth", **options)
        if expected is not None:
            save_arrays(folder / f"{name}.npz", expected)


def read(target, *checkpoints):
    """Reads all checkpoints with PyTorch and writes their arrays."""
    arrays = {}
    for path in map(pathlib.Path, checkpoints):
        content = torch.load(path, map_location="cpu", weights_only=False)
        arrays |= {f"{path.name}/{key}": value for key, value in content.items()}
    save_arrays(target, arrays)


def encoders(folder):
    """Writes torchvision's networks with random weights: state, an image, its last feature map."""
    import torchvision

    torch.manual_seed(0)
    image = torch.randn(1, 3, 64, 96)
    for name in ("resnet50", "densenet161"):
        net = getattr(torchvision.models, name)(weights=None).eval()
        for key, value in net.state_dict().items():
            if key.endswith("running_var"):
                value.uniform_(0.5, 1.5)
        children = list(net.children())[: -2 if name == "resnet50" else -1]
        with torch.no_grad():
            features = torch.relu(torch.nn.Sequential(*children)(image))
        torch.save(net.state_dict(), folder / f"{name}.pth", **FORMATS["legacy"])
        save_arrays(folder / f"{name}.npz", {"image": image, "features": features})


def save_arrays(path, tensors):
    arrays = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, torch.Tensor):
            tensor = tensor.detach()
            tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
            arrays[name] = tensor.numpy()
    np.savez(path, **arrays)


if __name__ == "__main__":
    torch.set_num_threads(1)
    action, target, *rest = sys.argv[1:]
    {"write": write, "read": read, "encoders": encoders}[action](pathlib.Path(target), *rest)
