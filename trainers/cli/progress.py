"""Progress bar of commands that run over batches."""

import sys

from tqdm import tqdm


def progress_bar(batches):
    """tqdm over batches, on standard error."""
    return tqdm(batches, desc="evaluating", unit="batch", file=sys.stderr)
