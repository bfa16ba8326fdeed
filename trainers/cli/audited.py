"""Audited masks: where the audit of a G lies, and what a card holds of it."""

import json
from pathlib import Path

from tfdepthviz.evaluation.audit import NOT_AUDITED
from tfdepthviz.export import networks
from tfdepthviz.utils.errors import InputError

AUDIT_FILE = "audit.json"


def folder_of(mask_weights):
    """The folder audit next to a file of weights; None for those that come with the package."""
    return None if mask_weights == "default" else str(Path(mask_weights).parent / "audit")


def sums(target, mask_net):
    """SHA-256 of N's and G's weights, as the card of an exported model has them."""
    size = target.input_size
    return {
        "depth_net": networks.store(target.net, size).sha256,
        "mask_net": networks.store_ranking(mask_net, size)[0].sha256,
    }


def on_card(mask_weights, target, mask_net):
    """The field `audit` of a card: grade and verdicts, if they are of these very networks.

    Args:
      mask_weights: path of G's weights, or "default".
      target: N, not folded.
      mask_net: G.
    Raises:
      InputError: the file cannot be read as an audit.
    """
    folder = folder_of(mask_weights)
    path = folder and Path(folder) / AUDIT_FILE
    if not path or not path.exists():
        return {"grade": NOT_AUDITED}
    try:
        content = json.loads(path.read_text("utf-8"))
        same = content["sha256"] == sums(target, mask_net) and content["removal"] == target.removal
        if not same:
            print(f"{path}: is of other networks or another removal; the card says {NOT_AUDITED}")
            return {"grade": NOT_AUDITED}
        return {
            **{name: content[name] for name in ("grade", "rule", "data", "share")},
            "images": len(content["places"]),
            "tests": {name: test["verdict"] for name, test in content["tests"].items()},
        }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as an audit ({error!r})") from error
