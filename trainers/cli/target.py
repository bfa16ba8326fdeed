"""The depth network N that a command explains, and the flags that say which."""

import dataclasses
import os

from tfdepthviz.models import DEPTH_NETS, build_depth_net
from tfdepthviz.models.porting.weight_files import is_tensorflow_checkpoint
from tfdepthviz.models.target import INPUT_SIZE, DepthTarget, check_contract, depth_target
from tfdepthviz.models.target_sources import FORMS, open_network
from tfdepthviz.utils.errors import InputError


@dataclasses.dataclass(frozen=True)
class Target:
    """Which depth network, and how to read it: the flags of all commands that explain one."""

    depth_net: str = "compact"
    depth_weights: str | None = None
    depth_kind: str | None = None
    depth_input: str | tuple | None = None
    depth_output: str | None = None
    depth_signature: str | None = None

    @property
    def weights(self):
        """The weights of a registered network; None where a flag must say, or it brings its own."""
        return self.depth_weights or ("nyu" if self.depth_net == "compact" else None)

    def build(self, input_size=None):
        """The network behind the contract.

        Args:
          input_size: (H, W) of the image; None: what the network fixes, or else 228x304.
        Returns:
          models.target.DepthTarget.
        Raises:
          InputError: names the flag that is missing or wrong, or the clause that is broken.
        """
        if self.depth_net in DEPTH_NETS:
            return self._registered(input_size or INPUT_SIZE)
        return self._foreign(input_size)

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
        named = self.depth_net.endswith((".keras", ".py")) or ":" in self.depth_net
        if not named and not os.path.exists(self.depth_net):
            raise InputError(
                f"--depth_net={self.depth_net}: expected one of {', '.join(DEPTH_NETS)}, {FORMS}"
            )
        if self.depth_weights:
            raise InputError(
                f"--depth_weights={self.depth_weights}: {self.depth_net} brings its own"
            )
        for name in ("depth_kind", "depth_input"):
            if getattr(self, name) is None:
                raise InputError(
                    f"--{name}: --depth_net={self.depth_net} needs it, as nothing in the network "
                    "says it; see --help"
                )
        network = open_network(self.depth_net, self.depth_signature or "serving_default")
        return depth_target(
            network,
            depth_kind=self.depth_kind,
            input_size=input_size,
            normalisation=self.depth_input,
            output=self.depth_output,
            name=f"--depth_net={self.depth_net}",
        )
