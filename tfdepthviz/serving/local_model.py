"""An exported SavedModel in this process, asked as a server is."""

import os

import tensorflow as tf

from tfdepthviz.serving.client import MaskSignatures, ServingError
from tfdepthviz.serving.transport import readable
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.savedmodel_safety import check_savedmodel


class LocalModel(MaskSignatures):
    """The folder of one version, as `export.export_savedmodel` wrote it.

    Args:
      savedmodel_dir: "savedmodels/NAME/VERSION".
    Raises:
      InputError: no SavedModel, or one that reaches beyond itself (`savedmodel_safety`).
    """

    def __init__(self, savedmodel_dir):
        self._name = os.fspath(savedmodel_dir)
        check_savedmodel(self._name)
        try:
            self._loaded = tf.saved_model.load(self._name)
        except (OSError, tf.errors.OpError) as error:
            raise InputError(
                f"{savedmodel_dir}: expected the folder of one exported version, with a "
                "saved_model.pb"
            ) from error

    def predict(self, signature, inputs, outputs):
        if signature not in self._loaded.signatures:
            there = ", ".join(sorted(self._loaded.signatures))
            raise ServingError(f"{self._name}: has no signature {signature}; it has {there}")
        ask = self._loaded.signatures[signature]
        try:
            got = ask(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            raise ServingError(f"{self._name}: {readable(error.message)}", 400) from error
        return {name: got[name].numpy() for name in outputs}
