"""The commands: one a file, `python -m trainers.<name> --help`."""

import os

# TensorFlow reports its CPU features and missing CUDA libraries at import; users did not ask.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
