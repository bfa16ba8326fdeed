"""Splits of data sets that come without one: the end is held out for validation.

The end is a block, because neighbouring files are often neighbouring frames of one video.
"""

# Held-out part of files in an order, and of a sequence in time.
OF_FILES = 0.1
OF_TIME = 0.2


def check_split(split: str | None) -> None:
    """Raises ValueError unless `split` is None, "train" or "validation"."""
    if split not in (None, "train", "validation"):
        raise ValueError(f'split must be None, "train" or "validation". Received: {split!r}')


def files_of(split: str | None, files: list) -> list:
    """The files of one split.

    Args:
      split: None for all files; "validation" for the last tenth, "train" for the rest.
      files: in order; a single one is the validation split.
    """
    held_out = max(1, round(OF_FILES * len(files)))
    return {None: files, "train": files[:-held_out], "validation": files[-held_out:]}[split]


def in_words(split: str | None, count: int, total: int, what: str) -> str:
    """Which files `files_of` chose, such as "the last 3 of 30 images"."""
    place = {None: "all", "train": "the first", "validation": "the last"}[split]
    return f"{place} {total} {what}" if count == total else f"{place} {count} of {total} {what}"


def split_at(time: float, first: float, last: float, gap: float) -> str | None:
    """The split of one frame of a sequence: "validation" in the last fifth of its time.

    Args:
      time: of the frame.
      first, last: times of the sequence's first and last frame.
      gap: frames that precede the held-out part by no more than this belong to no split.
    """
    held_out_from = last - OF_TIME * (last - first)
    if time >= held_out_from:
        return "validation"
    return "train" if time < held_out_from - gap else None
