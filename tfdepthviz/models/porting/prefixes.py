"""Prefixes of published names: modules of training scripts that hold the network.

Lightning saves `model.E.conv1.weight`, an exponential mean `ema_model.module.E.conv1.weight`.
"""

import collections
import logging
import re

from tfdepthviz.models.porting.torch_tensors import shown

# Prefixes of copies of the network that a training script keeps next to the network itself.
COPIES = re.compile(r"ema|avg|averag|teacher|shadow|swa", re.IGNORECASE)
_log = logging.getLogger(__name__)


def own_names(sources, expected):
    """The names under the prefix that leads to all expected ones, without it.

    Args:
      sources: dict of plain published name -> key in the file.
      expected: names that a network needs.
    Returns:
      dict like `sources`; `sources` itself if it has all expected names, or no prefix has.
    """
    expected = set(expected)
    if not expected or expected <= sources.keys():
        return sources
    counts = collections.Counter(
        name[:at] for name in sources for at in _places(name) if name[at:] in expected
    )
    whole = [prefix for prefix, count in counts.items() if count == len(expected)]
    if not whole:
        return sources
    # The network itself rather than a mean of its weights.
    prefix = min(whole, key=lambda prefix: (bool(COPIES.search(prefix)), len(prefix), prefix))
    own = {name[len(prefix) :]: key for name, key in sources.items() if name.startswith(prefix)}
    others = sorted(name for name in sources if not name.startswith(prefix))
    if others:
        _log.warning(
            f"took the {len(own)} arrays under {shown(prefix)!r}; left aside {len(others)} others, "
            f"such as {shown(others[0])}"
        )
    return own


def _places(name):
    return [place + 1 for place, letter in enumerate(name) if letter == "."]
