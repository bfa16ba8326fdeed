"""What flags that take several masks hold: files, separated by commas, and names for them."""

from pathlib import Path


def listed(text):
    """The files of --mask_weights or --saved_masks; none for None."""
    return [file for file in (text or "").split(",") if file]


def name_of(file):
    """What a reader calls a file: that of a run by the run's folder."""
    path = Path(file)
    in_run = path.stem in ("mask_net", "masks") and path.parent.name
    return path.parent.name if in_run else path.stem
