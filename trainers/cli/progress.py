"""Progress bar of commands that run over batches."""

from trainers.engine.progress import bar


def progress_bar(batches):
    """A bar over batches, on standard error."""
    return bar(batches, desc="evaluating", unit="batch")
