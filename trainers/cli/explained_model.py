"""Explained model: the N and G of trainers.explain, from memory, a SavedModel or a server."""

import dataclasses
import os
from pathlib import Path

from tfdepthviz.export import MemoryModel
from tfdepthviz.models import MASK_NETS, build_mask_net
from tfdepthviz.serving.client import MaskClient
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.errors import InputError
from trainers.cli import audited, flag_types, recipes, trained_masks
from trainers.cli.explained_net import explained, mask_net_of
from trainers.cli.flags import flag
from trainers.engine.options import changed, flat
from trainers.engine.run_record import last_part
from trainers.engine.strategy import prepare


@dataclasses.dataclass(frozen=True)
class Masks:
    """Mask generator G."""

    mask_weights: str | None = flag(
        None,
        "Weights of G: a .keras or .weights.h5 file, or a published checkpoint. If it lies in the "
        "work folder of train_mask, N is that of the run, unless flags say otherwise. Default: "
        "those that come with the package, for N compact.",
    )
    mask_net: str | None = flag(None, "The mask generator G.", flag_types.enum(MASK_NETS))
    input_size: tuple | None = flag(
        None,
        "Height and width of the image that the networks see. Default: the size of the run, or "
        "that N takes, or else 228,304.",
        flag_types.size,
    )


@dataclasses.dataclass(frozen=True)
class Exported:
    """Exported model, instead of N and G."""

    savedmodel: str | None = flag(
        None, "Folder of an exported version, such as savedmodels/NAME/1."
    )
    server: str | None = flag(
        None, "Address of a server's REST API, such as http://localhost:8501."
    )
    model: str | None = flag(None, "Name under which the server has the model.")


def opened(masks, target, exported):
    """The model that flags name, or the one that comes with the package.

    Args:
      masks, exported: Masks, Exported.
      target: Target, with None in each field that the user left out.
    Returns:
      MaskSignatures, and the text by which a later run recognises the model.
    Raises:
      InputError: names the flag that is wrong or too many.
      ServingError: the server gives no answer.
    """
    named = [name for name, value in flat(exported).items() if value and name != "model"]
    if not named:
        if exported.model:
            raise InputError(f"--model={exported.model}: needs --server=http://HOST:PORT")
        return _in_memory(masks, target)
    own = {**flat(masks), **flat(target)}
    others = [*named[1:], *(name for name, value in own.items() if value is not None)]
    if others:
        raise InputError(
            f"--{named[0]}, --{others[0]}: give one of them; a SavedModel and a server have their "
            "own N and G"
        )
    if exported.savedmodel:
        folder = Path(os.path.abspath(exported.savedmodel))
        return LocalModel(exported.savedmodel), "/".join(folder.parts[-2:])
    return _served(exported)


def _served(exported):
    server, model = exported.server, exported.model
    if not model:
        raise InputError(f"--model: needs the name under which {server} has the model")
    try:
        with MaskClient(server, model) as client:
            states = {int(status["version"]): status["state"] for status in client.status()}
    except ValueError as error:
        raise InputError(f"--{error}") from error
    ready = [version for version, state in states.items() if state == "AVAILABLE"]
    if not ready:
        listed = ", ".join(f"version {version} is {state}" for version, state in states.items())
        raise InputError(f"--model={model}: no version is available ({listed})")
    # A folder holds answers of one version, even if the server loads another one meanwhile.
    return MaskClient(server, model, max(ready)), f"{model}/{max(ready)}"


def network_flags(masks, target):
    """Flags that give another command the same N and G, as words; arguments as of `opened`."""
    masks, target, _ = _completed(masks, target)
    return [*changed(masks), *changed(target)]


def _completed(masks, target):
    """Both groups of flags with what the run of G says where the user gave none, and the run's."""
    weights = masks.mask_weights or "default"
    trained = trained_masks.options_of(weights)
    target, size = explained([weights], target, masks.input_size)
    return Masks(weights, mask_net_of(weights, masks.mask_net), size), target, trained


def _in_memory(masks, target):
    masks, target, trained = _completed(masks, target)
    weights = masks.mask_weights
    # The seed decides where a sanity check had N's weights drawn at random.
    prepare("float32", trained.get("seed", 0))
    depth = target.build(masks.input_size, in_graph=True)
    net = build_mask_net(masks.mask_net, depth.net.input_shape[1:], weights=weights)
    keep = recipes.RECIPES["ranking"]["keep"] if weights == "default" else trained.get("keep")
    card = {"lambda": trained.get("sparsity_weight"), "keep": keep}
    card["audit"] = audited.on_card(weights, depth, net)
    model = MemoryModel(depth, net, card)
    sums = [str(model.card()["weights"][name]["sha256"])[:8] for name in ("depth_net", "mask_net")]
    depth_net = last_part(target.depth_net)
    name = f"N {depth_net}, sha256 {sums[0]}...; G {masks.mask_net}, sha256 {sums[1]}..."
    return model, name if depth.removal == "mean" else f"{name}; removal {depth.removal}"
