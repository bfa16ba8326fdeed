"""Utilities: errors, files, tables, arrays, constants, the safety check of SavedModels."""
