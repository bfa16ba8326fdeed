"""Models in this process, with the methods of `client.MaskClient`."""

import os

import tensorflow as tf

from tfdepthviz.serving.client import MaskSignatures, ServingError
from tfdepthviz.serving.transport import readable
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.savedmodel_safety import check_savedmodel


class InProcess(MaskSignatures):
    """Signatures that this process runs.

    Args:
      signatures: dict of name -> function of named tensors, to a dict of tensors.
      name: what messages call the model; "" for one without a name.
    """

    def __init__(self, signatures, name=""):
        self._signatures, self._prefix = signatures, f"{name}: " if name else ""

    def predict(self, signature, inputs, outputs):
        if signature not in self._signatures:
            known = ", ".join(sorted(self._signatures))
            raise ServingError(f"{self._prefix}has no signature {signature}; it has {known}")
        run = self._signatures[signature]
        try:
            results = run(**{name: tf.constant(value) for name, value in inputs.items()})
        except tf.errors.InvalidArgumentError as error:
            raise ServingError(f"{self._prefix}{readable(error.message)}", 400) from error
        return {name: result.numpy() for name, result in results.items()}


class LocalModel(InProcess):
    """One version of an exported model, as `export.export_savedmodel` wrote it.

        answer = LocalModel("savedmodels/NAME/1").explain(open("photo.jpg", "rb").read())

    Args:
      savedmodel_dir: "savedmodels/NAME/VERSION".
    Raises:
      InputError: no SavedModel, or one with operations that reach outside it
        (`utils.savedmodel_safety`).
    """

    def __init__(self, savedmodel_dir):
        name = os.fspath(savedmodel_dir)
        check_savedmodel(name)
        try:
            # Kept: its variables live as long as it does.
            self._loaded = tf.saved_model.load(name)
        except (OSError, tf.errors.OpError) as error:
            raise InputError(
                f"{savedmodel_dir}: expected the folder of one exported version, with a "
                "saved_model.pb"
            ) from error
        super().__init__(self._loaded.signatures, name)
