"""Rating: the table of a trained mask generator, measured once and stored in its work folder."""

import json

from tfdepthviz import evaluation
from tfdepthviz.utils.files import write_whole


def stored_table(folder, target, mask_net, batches, threshold, progress, controls=dict):
    """The table of the mask generator in a work folder, measured unless it is stored.

    Args:
      folder: Path of the work folder, with mask_net.keras; the table goes into evaluation/.
      target: N, a DepthTarget.
      mask_net: G, loaded from mask_net.keras.
      batches, threshold, progress: as for `evaluation.evaluate_masks`.
      controls: function without arguments -> dict of its further arguments, untrained and mean_map.
    Returns:
      dict, the contents of table.json.
    """
    state = (folder / "mask_net.keras").stat()
    rated = {"threshold": threshold, "mask_net": [state.st_size, state.st_mtime_ns]}
    folder = folder / "evaluation"
    table, mark = folder / "table.json", folder / "rated.json"
    if _read(table) is None or _read(mark) != rated:
        result = evaluation.evaluate_masks(
            target, mask_net, batches, threshold=threshold, progress=progress, **controls()
        )
        evaluation.write_table(result, folder)
        write_whole(mark, json.dumps(rated) + "\n")
    return _read(table)


def _read(path):
    """Contents of a JSON file; None if it does not exist or is damaged, and must be made again."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
