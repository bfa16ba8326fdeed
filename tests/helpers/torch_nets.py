"""Depth networks in PyTorch with random weights: the shapes of those that people use, but small."""

import torch
from torch import nn
from torch.nn import functional


def seeded(network, seed=0):
    """The network in inference, with every parameter drawn anew so that all paths matter.

    Args:
      network: nn.Module.
      seed: of the random numbers.
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            # Widely spread weights would let activations overflow; the norm keeps them near 1.
            spread = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.3
            centre = float(parameter.ndim == 1 and name.endswith("weight"))
            parameter.normal_(centre, spread)
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
            elif name.endswith("running_mean"):
                buffer.normal_(0, 0.3)
    return network.eval()


class MidasLike(nn.Module):
    """Grouped convolutions, skips and aligned bilinear resizing, as in MiDaS 2.1."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.block = nn.Sequential(
            nn.Conv2d(8, 16, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 16, 3, stride=2, padding=1, groups=4, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 16, 1, bias=False),
        )
        self.shortcut = nn.Conv2d(8, 16, 1, stride=2, bias=False)
        self.refine = nn.Conv2d(16, 8, 3, padding=1)
        self.head = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.Conv2d(8, 1, 3, padding=1),
            nn.ReLU(),
        )
        self.head[2].bias = nn.Parameter(torch.ones(1))

    def forward(self, image):
        first = self.first(image)
        deep = functional.relu(self.block(first) + self.shortcut(first))
        deep = functional.interpolate(
            self.refine(deep), size=first.shape[2:], mode="bilinear", align_corners=True
        )
        return self.head(deep + first).squeeze(1)


class Monodepth2Like(nn.Module):
    """Reflection padding, ELU, nearest resizing and a sigmoid, as monodepth2's decoder; a dict."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleList(
            [nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)]
        )
        self.pad = nn.ReflectionPad2d(1)
        self.deep = nn.Conv2d(16, 8, 3)
        self.joined = nn.Conv2d(16, 8, 3)
        self.disparities = nn.ModuleList([nn.Conv2d(8, 1, 3), nn.Conv2d(8, 1, 3)])

    def forward(self, image):
        half = functional.relu(self.encoder[0]((image - 0.45) / 0.225))
        quarter = functional.relu(self.encoder[1](half))
        x = functional.elu(self.deep(self.pad(quarter)))
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        x = functional.elu(self.joined(self.pad(torch.cat([x, half], 1))))
        outputs = {("disp", 1): torch.sigmoid(self.disparities[1](self.pad(x)))}
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        outputs[("disp", 0)] = torch.sigmoid(self.disparities[0](self.pad(x)))
        return outputs


class OneByOne(nn.Module):
    """A network of one image at a time; its batch is fixed by the export as well."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.read = nn.Linear(4, 1)

    def forward(self, image):
        _, _, height, width = image.shape
        pixels = torch.tanh(self.conv(image)).reshape(1, 4, height * width).transpose(1, 2)
        return self.read(pixels).reshape(1, 1, height, width)


def depth_anything():
    """Hugging Face's Depth Anything: DINOv2, two blocks, 14 pixels a patch."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=42,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        patch_size=14,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
    )
    return seeded(DepthAnythingForDepthEstimation(config))


def dpt():
    """Hugging Face's DPT: a vision transformer of 16 pixels a patch, as MiDaS 3."""
    from transformers import DPTConfig, DPTForDepthEstimation

    config = DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    return seeded(DPTForDepthEstimation(config))
