"""Data sets by name: files of the real world -> batches that networks eat."""
