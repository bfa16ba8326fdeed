"""Target: the flags of every command that explains a depth network N, and N itself."""

import dataclasses
import os

from tfdepthviz.metrics.alignment import KINDS
from tfdepthviz.models import DEPTH_NETS, build_depth_net
from tfdepthviz.models.porting.weight_files import is_tensorflow_checkpoint
from tfdepthviz.models.target import DepthTarget, check_contract, depth_target
from tfdepthviz.models.target_sources import FORMS, is_converted, open_network
from tfdepthviz.removal import REMOVALS, check_removal
from tfdepthviz.utils.constants import INPUT_SIZE
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types
from trainers.cli.depth_kind import warn_of_depth_kind
from trainers.cli.flags import flag
from trainers.engine.options import as_flags


@dataclasses.dataclass(frozen=True)
class Target:
    """Depth network N."""

    depth_net: str = flag("compact", f"The depth network N: {', '.join(DEPTH_NETS)}, {FORMS}.")
    depth_weights: str | None = flag(
        None,
        "Weights of N: a .keras or .weights.h5 file, a published checkpoint, `random`, or "
        "`default`, the weights that compact comes with and has unless others are named.",
    )
    depth_kind: str | None = flag(
        None,
        "Meaning of your own network's output: metres, depth up to scale and shift, or inverse "
        "depth (more = nearer) up to scale and shift.",
        flag_types.enum(KINDS),
    )
    depth_input: str | tuple | None = flag(
        None,
        "Input of your own network: ImageNet's normalisation, RGB from 0 to 1, from -1 to 1, from "
        "0 to 255, or six numbers: mean R,G,B and std R,G,B of RGB from 0 to 1.",
        flag_types.normalisation,
    )
    depth_output: str | None = flag(None, "Which of your own network's outputs is the depth.")
    depth_signature: str | None = flag(None, "Signature of your own SavedModel to call.")
    removal: str | None = flag(
        None,
        "What N sees where a mask removes a pixel: the mean colour, black, random colours, the "
        "blurred image, or ROAD's linear fill, which only evaluate, compare_masks and audit_masks "
        "can compute. Default: that of the run that trained G, or else mean, as published.",
        flag_types.enum(REMOVALS),
    )

    @property
    def weights(self):
        """Weights of a registered network; None if a flag must name them, or N brings its own."""
        return self.depth_weights or ("default" if self.depth_net == "compact" else None)

    def build(self, input_size=None, in_graph=False):
        """The network behind the contract.

        Args:
          input_size: (H, W) of the image; None: what the network fixes, or else 228x304.
          in_graph: whether removed pixels must be filled in a compiled function, see
            `removal.check_removal`.
        Returns:
          models.target.DepthTarget.
        Raises:
          InputError: names the flag that is missing or wrong, or the clause that is broken.
        """
        removal = self.removal or "mean"
        try:
            check_removal(removal, in_graph)
        except InputError as error:
            raise InputError(as_flags(str(error), ("removal",))) from error
        if self.depth_net in DEPTH_NETS:
            target = self._registered(input_size or INPUT_SIZE)
        else:
            target = self._foreign(input_size)
        return dataclasses.replace(target, removal=removal)

    def _registered(self, input_size):
        for name in ("depth_kind", "depth_output", "depth_signature"):
            value = getattr(self, name)
            if value not in (None, {"depth_kind": "metric"}.get(name)):
                raise InputError(f"--{name}={value}: --depth_net={self.depth_net} takes none")
        weights = self.weights
        if weights is None:
            raise InputError(
                f"--depth_weights: --depth_net={self.depth_net} needs the weights to explain; "
                "`random` takes random ones, for a sanity check"
            )
        if self.depth_net == "fcrn_resnet50" and self.depth_input is None:
            if weights != "random" and is_tensorflow_checkpoint(weights):
                raise InputError(
                    "--depth_input: fcrn_resnet50 as published sees RGB from 0 to 255, not the "
                    "normalised images of networks trained here; give --depth_input=bytes"
                )
        net = build_depth_net(
            self.depth_net, (*input_size, 3), weights=None if weights == "random" else weights
        )
        name = f"--depth_net={self.depth_net}"
        if self.depth_input not in (None, "imagenet"):
            return depth_target(net, depth_kind="metric", normalisation=self.depth_input, name=name)
        net.trainable = False
        check_contract(net, name)
        return DepthTarget(net, "metric")

    def _foreign(self, input_size):
        named = self.depth_net.endswith((".keras", ".py", ".onnx")) or ":" in self.depth_net
        if not named and not os.path.exists(self.depth_net):
            raise InputError(
                f"--depth_net={self.depth_net}: expected one of {', '.join(DEPTH_NETS)}, {FORMS}"
            )
        if self.depth_weights:
            raise InputError(
                f"--depth_weights={self.depth_weights}: {self.depth_net} brings its own"
            )
        if not self.depth_net.startswith("hf:"):  # its files may say both
            self._check_said("depth_kind", self.depth_kind)
            self._check_said("depth_input", self.depth_input)
        try:
            network, depth_kind, depth_input = self._opened(input_size)
            target = depth_target(
                network,
                depth_kind=self._check_said("depth_kind", depth_kind),
                input_size=input_size,
                normalisation=self._check_said("depth_input", depth_input),
                output=None if is_converted(self.depth_net) else self.depth_output,
                name=f"--depth_net={self.depth_net}",
            )
        except InputError as error:
            raise InputError(as_flags(str(error), ("input_size",))) from error
        warn_of_depth_kind(target)
        return target

    def _opened(self, input_size):
        """Network, depth_kind and depth_input, each of the flag or else of the network."""
        if not is_converted(self.depth_net):
            network = open_network(self.depth_net, self.depth_signature or "serving_default")
            return network, self.depth_kind, self.depth_input
        if self.depth_signature:
            raise InputError(f"--depth_signature={self.depth_signature}: no SavedModel is named")
        network = open_network(
            self.depth_net,
            input_size=input_size,
            output=self.depth_output,
            normalisation=self.depth_input,
        )
        print(f"{self.depth_net}: {network.comparison}", flush=True)
        return (
            network,
            self.depth_kind or network.depth_kind,
            self.depth_input or network.normalisation,
        )

    def _check_said(self, name, value):
        """The value of a flag that only the user knows."""
        if value is None:
            raise InputError(
                f"--{name}: --depth_net={self.depth_net} needs it, as nothing in the network "
                "says it; see --help"
            )
        return value
