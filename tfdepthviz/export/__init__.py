"""Export: SavedModels that serve masks through TensorFlow Serving."""

from tfdepthviz.export.memory_model import MemoryModel
from tfdepthviz.export.savedmodel import CARD_FILE, export_savedmodel, free_version

__all__ = ["CARD_FILE", "MemoryModel", "export_savedmodel", "free_version"]
