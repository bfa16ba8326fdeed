"""A loaded SavedModel: its signatures, and calls of them."""

import os

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from tfdepthviz.serving.server.status import StatusError, not_found


class SavedModel:
    """A version's folder, loaded; `signatures` is a dict of name -> SignatureDef."""

    def __init__(self, path):
        self.signatures = _signatures(path)
        try:
            # Kept: the functions do not hold the variables.
            self._loaded = tf.saved_model.load(path, tags=["serve"])
        except (OSError, ValueError, KeyError) as error:
            raise StatusError("DATA_LOSS", f"{path}: cannot be loaded ({error})") from error
        self._functions = dict(self._loaded.signatures)

    def run(self, signature_name, inputs):
        """Calls a signature: dict of alias -> array of its inputs, to that of its outputs."""
        tensors = {alias: tf.constant(array) for alias, array in inputs.items()}
        outputs = self._functions[signature_name](**tensors)
        # A single string is no array, and NumPy's own strings would lose trailing zeros.
        return {a: np.asarray(t.numpy(), t.dtype.as_numpy_dtype) for a, t in outputs.items()}


def _signatures(path):
    """SignatureDefs of the file: TensorFlow's loaded functions lack the names of tensors."""
    file = os.path.join(path, "saved_model.pb")
    try:
        with open(file, "rb") as opened:
            saved = saved_model_pb2.SavedModel.FromString(opened.read())
    except OSError as error:
        raise not_found(f"{path}: has no saved_model.pb that can be read") from error
    except DecodeError as error:
        raise StatusError("DATA_LOSS", f"{file}: is damaged") from error
    for graph in saved.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return {n: s for n, s in graph.signature_def.items() if not n.startswith("__")}
    raise StatusError("DATA_LOSS", f"{file}: holds no graph with the tag serve")
