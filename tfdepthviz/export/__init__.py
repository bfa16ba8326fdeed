"""Export: SavedModels that serve masks through TensorFlow Serving."""

from tfdepthviz.export.savedmodel import CARD_FILE, explain_file, export_savedmodel, free_version

__all__ = ["CARD_FILE", "explain_file", "export_savedmodel", "free_version"]
