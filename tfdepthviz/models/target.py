"""DepthTarget: any depth network behind one contract, so that it can be explained."""

import dataclasses

import keras

from tfdepthviz.metrics import alignment
from tfdepthviz.metrics.alignment import check_kind
from tfdepthviz.models.contract import check_contract
from tfdepthviz.models.folding import fold_batch_norm
from tfdepthviz.models.foreign_network import (
    NORMALISATIONS,
    ForeignNetwork,
    input_size_of,
    mean_and_std,
    renormalised,
)
from tfdepthviz.removal import check_removal, removed

__all__ = [
    "NORMALISATIONS",
    "DepthTarget",
    "as_target",
    "check_contract",
    "depth_target",
]


@dataclasses.dataclass(frozen=True)
class DepthTarget:
    """A depth network N that fulfils the contract, and what its output means.

    Attributes:
      net: keras.Model, frozen: image of ImageNet's normalisation (B, H, W, 3) -> (B, h, w, 1).
      depth_kind: what the output means: "metric" (metres), "relative" (depth up to scale and shift)
        or "inverse" (inverse depth up to scale and shift: more = nearer).
      removal: what N sees where a mask removes a pixel, out of `removal.REMOVALS`.

    Example: explains a model of your own, which sees RGB in [0, 1] and gives inverse depth.

        network = keras.models.load_model("mine.keras")
        target = depth_target(network, depth_kind="inverse", normalisation="unit")
        trainer = MaskTrainer(target, build_mask_net("compact", (*target.input_size, 3)))
        trainer.compile(build_optimizer("adamw", learning_rate=1e-3, weight_decay=1e-4))
        trainer.fit(train_batches)
    """

    net: keras.Model
    depth_kind: str = "metric"
    removal: str = "mean"

    def __post_init__(self):
        check_kind(self.depth_kind)
        check_removal(self.removal)

    @property
    def input_size(self):
        """(H, W) of the image that N sees."""
        return tuple(self.net.input_shape[1:3])

    @property
    def output_size(self):
        """(h, w) of the map that N gives."""
        return tuple(self.net.output_shape[1:3])

    @property
    def unit(self):
        """Unit of `comparable` maps in words: "m", or "σ" where N's output has no unit."""
        return alignment.unit(self.depth_kind)

    def shown(self, image, mask, noise=None):
        """What N sees of an image through a mask: `removal.removed`."""
        return removed(image, mask, self.removal, noise)

    def comparable(self, y_full, y_masked, ridge=0.0):
        """N(I) and N(I*M) as maps that losses and fidelity compare: `alignment.comparable`."""
        return alignment.comparable(self.depth_kind, y_full, y_masked, ridge)

    def drawable(self, y_full, y_masked):
        """N(I) and N(I*M) as maps that grow with distance: `alignment.drawable`."""
        return alignment.drawable(self.depth_kind, y_full, y_masked)

    def in_metres(self, y_true, y_pred):
        """N's output in metres, aligned to the truth without a unit: `alignment.in_metres`."""
        return alignment.in_metres(self.depth_kind, y_true, y_pred)

    def folded(self):
        """The same N, cheaper in inference: `folding.fold_batch_norm`; its layers are others."""
        return dataclasses.replace(self, net=fold_batch_norm(self.net))


def as_target(depth_net):
    """The depth network as a DepthTarget; a keras.Model on its own counts as one in metres.

    Args:
      depth_net: DepthTarget or keras.Model.
    Returns:
      DepthTarget.
    """
    return depth_net if isinstance(depth_net, DepthTarget) else DepthTarget(depth_net)


def depth_target(
    network, *, depth_kind, input_size=None, normalisation="imagenet", output=None, name="N"
):
    """Puts a depth network behind the contract and checks every clause of it.

    A removed pixel takes ImageNet's mean colour, whatever the network's own normalisation is;
    `dataclasses.replace(target, removal="blur")` shows something else (`removal.removed`).

    Args:
      network: keras.Model of one image input; or a function, image (B, H, W, 3) float32 tensor ->
        depth, made of operations that TensorFlow differentiates.
      depth_kind: "metric", "relative" or "inverse", see `DepthTarget`.
      input_size: (H, W) that the network sees; None: the size that its input layer fixes, or else
        constants.INPUT_SIZE.
      normalisation: what the network wants to see: (mean, std), each of one or three numbers, that
        it expects to be taken off RGB in [0, 1]; or "imagenet", "unit" (RGB in [0, 1]), "signed"
        (-1 to 1) or "bytes" (0 to 255).
      output: name or number of the depth among several outputs; None if there is only one.
      name: what messages call the network.
    Returns:
      DepthTarget; its net is frozen, and so is `network` where it is a keras.Model.
    Raises:
      InputError: one line for each broken clause: what was received, what would be right.
    """
    check_kind(depth_kind)
    mean, std = mean_and_std(normalisation, name)
    size = input_size_of(network, input_size, name)
    image = keras.Input((*size, 3), name="image")
    seen = renormalised(image, mean, std)
    depth = ForeignNetwork(network, size, output, name)(seen)
    net = keras.Model(image, depth, name="depth_target")
    for frozen in [net, network] if isinstance(network, keras.Model) else [net]:
        frozen.trainable = False
    check_contract(net, name, getattr(network, "variables", ()))
    return DepthTarget(net, depth_kind)
