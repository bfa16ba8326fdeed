"""Export: SavedModels that serve masks through TensorFlow Serving."""

from tfdepthviz.export.savedmodel import CARD_FILE, export_savedmodel, free_version

__all__ = ["CARD_FILE", "export_savedmodel", "free_version"]
