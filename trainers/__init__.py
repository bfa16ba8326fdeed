"""The commands: one a file, `python -m trainers.<name> --help`."""

import os

# TensorFlow's native code reports CPU features and missing CUDA libraries, the first of it before
# any setting is read; users did not ask. Failures arrive as exceptions all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_stderr = os.dup(2)
try:
    with open(os.devnull, "wb") as _nowhere:
        os.dup2(_nowhere.fileno(), 2)
        import tensorflow  # noqa: F401
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)
