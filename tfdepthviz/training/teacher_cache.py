"""TeacherCache: N(I) of images that come again, computed once.

Validation frames are the same in every epoch and for every G. An entry is named by the SHA-256 of
its images and lies in a folder named by the SHA-256 of N. Another input size, batch size, frame or
weight therefore has another name and is computed. Training frames come in new views each time and
are not kept.
"""

import hashlib
import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz.utils.arrays import UNREADABLE, read_arrays, write_arrays
from tfdepthviz.utils.errors import InputError, one_line
from tfdepthviz.utils.files import check_writable
from tfdepthviz.utils.graphs import compiled

MEMORY_LIMIT_BYTES = 1 << 30
# Packages whose layers are described by their configuration and the version of the package.
KNOWN_CODE = ("builtins", "keras", "keras_hub", "tfdepthviz")
# Entries of a configuration that do not change N(I); the second is an address in memory.
IRRELEVANT = ("trainable", "shared_object_id")


class TeacherCache:
    """Function of an image batch (B, H, W, 3) -> N(I) (B, h, w, 1), equal in every bit each time.

    Args:
      depth_net: N, frozen.
      folder: folder of the entries, <SHA-256 of N>/<SHA-256 of the images>.npz; a damaged entry is
        computed again. None: entries stay in memory, up to 1 GiB.
    Raises:
      InputError: the folder cannot be written to, or N holds foreign code, which has no SHA-256.

    Example:

        batches = TeacherCache(target.net).with_teacher(batches)
        trainer.fit(training_batches, validation_data=batches)
    """

    def __init__(self, depth_net, folder=None):
        self.predict = compiled(lambda image: depth_net(image, training=False))
        self.folder = None
        self.memory, self.bytes = {}, 0
        if folder:
            check_writable(folder)
            self.folder = pathlib.Path(folder) / _name_of(depth_net)

    def __call__(self, image):
        name = hashlib.sha256(repr(tuple(image.shape)).encode())
        name.update(np.ascontiguousarray(image))
        name = name.hexdigest()
        y = self._kept(name)
        if y is None:
            y = self.predict(image)
            self._keep(name, y)
        return y

    def with_teacher(self, batches):
        """Adds N(I) to batches as "teacher".

        Args:
          batches: sized iterable of dicts with "image".
        Returns:
          sized iterable of dicts; each iteration starts one of `batches`.
        """
        return _WithTeacher(self, batches)

    def _kept(self, name):
        if self.folder is None:
            return self.memory.get(name)
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        try:
            return tf.constant(read_arrays(path, ["depth"])["depth"])
        except UNREADABLE as error:
            print(f"{path}: is damaged ({error}); computing it again", file=sys.stderr)
            return None

    def _keep(self, name, y):
        if self.folder is not None:
            path = self.folder / f"{name}.npz"
            write_arrays(path, {"depth": y.numpy()}, compressed=False)
        elif self.bytes < MEMORY_LIMIT_BYTES:
            self.bytes += y.numpy().nbytes
            self.memory[name] = y


class _WithTeacher:
    def __init__(self, cache, batches):
        self.cache = cache
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for batch in self.batches:
            yield {**batch, "teacher": self.cache(batch["image"])}


def net_sum(net):
    """SHA-256 of a network's architecture and weights.

    Args:
      net: keras.Model.
    Returns:
      str, hexadecimal digits.
    Raises:
      TypeError, NotImplementedError: a part has no configuration, or one without its code.
    """
    packages = set()

    def plain(part):
        if isinstance(part.get("module"), str):
            packages.add(part["module"].split(".")[0])
        return {name: value for name, value in part.items() if name not in IRRELEVANT}

    config = json.dumps(keras.saving.serialize_keras_object(net))
    config = json.loads(config, object_hook=plain)
    if foreign := sorted(packages.difference(KNOWN_CODE)):
        raise TypeError(f"{', '.join(foreign)} is code of its own")
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for weight in net.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)))
    return digest.hexdigest()


def _name_of(net):
    try:
        return net_sum(net)
    except (TypeError, NotImplementedError) as error:
        raise InputError(
            f"a folder of N(I) needs an N with a SHA-256 sum. Received: {net.name} "
            f"({one_line(error, 200)})"
        ) from error
