"""An exported SavedModel in this process, with the methods of `client.MaskClient`."""

import os

import tensorflow as tf

from tfdepthviz.serving.client import MaskSignatures, ServingError
from tfdepthviz.serving.transport import readable
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.savedmodel_safety import check_savedmodel


class LocalModel(MaskSignatures):
    """One version of an exported model, as `export.export_savedmodel` wrote it.

        answer = LocalModel("savedmodels/NAME/1").explain(open("photo.jpg", "rb").read())

    Args:
      savedmodel_dir: "savedmodels/NAME/VERSION".
    Raises:
      InputError: no SavedModel, or one with operations that reach outside it
        (`utils.savedmodel_safety`).
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
            known = ", ".join(sorted(self._loaded.signatures))
            raise ServingError(f"{self._name}: has no signature {signature}; it has {known}")
        run = self._loaded.signatures[signature]
        try:
            results = run(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            raise ServingError(f"{self._name}: {readable(error.message)}", 400) from error
        return {name: result.numpy() for name, result in results.items()}
