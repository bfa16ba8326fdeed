"""N(I), what the frozen N says of whole images, kept for images that come again.

Frames to validate on are the same in every epoch and for every G. An entry is found by the SHA-256
of the images themselves, on disk in a folder named by that of N: what changes either, another
input size, batch size, frame or weight, finds nothing and is computed. Training frames come in new
views each time, so that there is nothing to keep of them.
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

MEMORY_LIMIT_BYTES = 1 << 30
# Whose configuration says all about a layer; other code may change and leave it as it is.
KNOWN_CODE = ("builtins", "keras", "keras_hub", "tfdepthviz")
# What a configuration holds that N(I) does not depend on: the second is a place in memory.
NO_MATTER = ("trainable", "shared_object_id")


class TeacherCache:
    """Function of an image batch (B, H, W, 3) -> N(I) (B, h, w, 1), bit by bit as computed once.

    Args:
      depth_net: N, frozen.
      folder: where entries lie, DIR/<SHA-256 of N>/<SHA-256 of the images>.npz; what is damaged is
        computed again. None: in memory, the first GiB.
    Raises:
      InputError: the folder cannot be written to, or N holds code of its own, which has no sum.
    """

    def __init__(self, depth_net, folder=None):
        self.predict = tf.function(lambda image: depth_net(image, training=False))
        self.folder = None
        self.memory, self.bytes = {}, 0
        if folder:
            check_writable(folder)
            self.folder = pathlib.Path(folder) / _named(depth_net, folder)

    def __call__(self, image):
        name = hashlib.sha256(repr(tuple(image.shape)).encode())
        name.update(np.ascontiguousarray(image))
        name = name.hexdigest()
        y = self._kept(name)
        if y is None:
            y = self.predict(image)
            self._keep(name, y)
        return y

    def taught(self, batches):
        """Batches with N(I) as a further part, "teacher"; iterated over as often as they are.

        Args:
          batches: sized iterable of dicts with "image".
        """
        return _Taught(self, batches)

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


class _Taught:
    def __init__(self, cache, batches):
        self.cache = cache
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for batch in self.batches:
            yield {**batch, "teacher": self.cache(batch["image"])}


def net_sum(net):
    """SHA-256 of a network's architecture and weights, as hexadecimal digits.

    Raises:
      TypeError, NotImplementedError: a part has no configuration, or one that leaves out its code.
    """
    packages = set()

    def plain(part):
        if isinstance(part.get("module"), str):
            packages.add(part["module"].split(".")[0])
        return {name: value for name, value in part.items() if name not in NO_MATTER}

    config = json.dumps(keras.saving.serialize_keras_object(net))
    config = json.loads(config, object_hook=plain)
    if foreign := sorted(packages.difference(KNOWN_CODE)):
        raise TypeError(f"{', '.join(foreign)} is code of its own")
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for weight in net.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)))
    return digest.hexdigest()


def _named(net, folder):
    try:
        return net_sum(net)
    except (TypeError, NotImplementedError) as error:
        raise InputError(
            f"--teacher_cache={folder}: this N has no SHA-256 sum by which to find its entries "
            f"({one_line(error, 200)}); leave the flag out"
        ) from error
