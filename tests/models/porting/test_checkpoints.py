"""TensorFlow checkpoints of both versions, by any of their files.

PyTorch's: test_torch_files.py.
"""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.models import porting
from tfdepthviz.utils.errors import InputError


def write_tf_checkpoint(prefix, arrays, version=tf.compat.v1.train.SaverDef.V2):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for name, value in arrays.items():
            tf.compat.v1.get_variable(name, initializer=value)
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(write_version=version).save(session, str(prefix))


TF_ARRAYS = {
    "conv1/weights": np.arange(12, dtype="float32").reshape(1, 2, 2, 3),
    "bn_conv1/scale": np.ones(3, "float32"),
}


def test_both_versions(tmp_path):
    for version in (tf.compat.v1.train.SaverDef.V1, tf.compat.v1.train.SaverDef.V2):
        prefix = tmp_path / f"model{version}.ckpt"
        write_tf_checkpoint(prefix, TF_ARRAYS, version)
        arrays = porting.read_tf_checkpoint(prefix)
        assert arrays.keys() == TF_ARRAYS.keys()
        for name, value in TF_ARRAYS.items():
            np.testing.assert_array_equal(arrays[name], value)


def test_any_file_of_the_checkpoint(tmp_path):
    write_tf_checkpoint(tmp_path / "NYU_FCRN.ckpt", TF_ARRAYS)
    endings = ("", "/NYU_FCRN.ckpt", "/NYU_FCRN.ckpt.index", "/NYU_FCRN.ckpt.meta")
    for ending in (*endings, "/NYU_FCRN.ckpt.data-00000-of-00001"):
        arrays = porting.read_tf_checkpoint(f"{tmp_path}{ending}")
        assert arrays.keys() == TF_ARRAYS.keys()
    write_tf_checkpoint(tmp_path / "other.ckpt", TF_ARRAYS)
    with pytest.raises(InputError, match="one TensorFlow checkpoint, found 2"):
        porting.read_tf_checkpoint(tmp_path)


def test_checkpoint_of_a_training_run(tmp_path):
    prefix = tf.train.Checkpoint(step=tf.Variable(1.0)).save(str(tmp_path / "ckpt"))
    with pytest.raises(InputError, match="ckpt-1: the checkpoint of a training run"):
        porting.read_tf_checkpoint(prefix)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(InputError, match="nothing.ckpt"):
        porting.read_tf_checkpoint(tmp_path / "nothing.ckpt")
