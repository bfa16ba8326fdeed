"""A loaded SavedModel: its signatures, and runs of parts of its graph.

The graph runs in a session, by names of tensors, as in TensorFlow Serving. Models of TensorFlow 1
and 2 are therefore treated alike, a signature's method and defaults are visible, and only the
operations check shapes. tf.saved_model.load would give none of that.
"""

import collections
import contextlib
import os
import threading

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from tfdepthviz.serving.server.status import StatusError, not_found

# Prepared runs are kept for this many different sets of inputs and outputs.
_PREPARED = 32


class SavedModel:
    """A version's folder, loaded.

    Args:
      path: folder with saved_model.pb.
      at_once: semaphore that limits the runs at a time; None: no limit.
    Attributes:
      signatures: dict of name -> SignatureDef.
    Raises:
      StatusError, tf.errors.OpError, or whatever else TensorFlow raises: it does not load.
    """

    def __init__(self, path, at_once=None):
        names = ("saved_model.pb", "saved_model.pbtxt")
        if not any(os.path.isfile(os.path.join(path, name)) for name in names):
            raise not_found(
                f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}"
            )
        self._at_once = at_once or contextlib.nullcontext()
        self._prepared = collections.OrderedDict()
        self._lock = threading.Lock()
        graph = tf.Graph()
        # Take memory of a GPU as needed, not all of it for the first model.
        options = config_pb2.GPUOptions(allow_growth=True)
        config = config_pb2.ConfigProto(gpu_options=options, allow_soft_placement=True)
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], path)
        except BaseException as error:
            self._session.close()
            if isinstance(error, RuntimeError):  # no meta graph of that tag
                raise not_found(str(error)) from error
            if isinstance(error, OSError):  # saved_model.pb is no protocol buffer
                raise StatusError("DATA_LOSS", str(error)) from error
            raise
        self.signatures = dict(meta_graph.signature_def)

    def run(self, feeds, fetches):
        """Computes some tensors.

        Args:
          feeds: dict of tensor name -> array.
          fetches: names of tensors.
        Returns:
          list of arrays, in the order of `fetches`.
        Raises:
          tf.errors.OpError: an operation fails.
        """
        names = tuple(sorted(feeds))
        prepared = self._callable(names, tuple(fetches))
        with self._at_once:
            return [_as_array(v) for v in prepared(*(feeds[name] for name in names))]

    def close(self):
        """Frees the model's memory. No run may be under way, and none may follow."""
        self._prepared.clear()
        self._session.close()

    def _callable(self, feeds, fetches):
        key = (feeds, fetches)
        with self._lock:
            if key in self._prepared:
                self._prepared.move_to_end(key)
                return self._prepared[key]
        # Session.run refuses shapes other than the placeholder's, even if the graph accepts them. A
        # callable leaves the check to the graph, as TensorFlow Serving does.
        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        made = self._session._make_callable_from_options(options)
        with self._lock:
            self._prepared[key] = made
            if len(self._prepared) > _PREPARED:
                self._prepared.popitem(last=False)
        return made


def _as_array(value):
    if not isinstance(value, bytes):
        return np.asarray(value)
    # A single string: NumPy's own strings would lose trailing zeros.
    array = np.empty((), object)
    array[()] = value
    return array
