"""Conversions of the signature plain_mask, by TensorFlow Lite and tf2onnx: the same masks.

The SavedModel itself gives the expected values. Each converter runs in a process of its own: both
warn, and tf2onnx changes settings of TensorFlow.
"""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

TFLITE = """
import sys, numpy as np, tensorflow as tf
savedmodel, images, masks = sys.argv[1:]
converter = tf.lite.TFLiteConverter.from_saved_model(savedmodel, signature_keys=["plain_mask"])
runner = tf.lite.Interpreter(model_content=converter.convert()).get_signature_runner("plain_mask")
np.save(masks, np.concatenate([runner(image=i[None])["mask"] for i in np.load(images)]))
"""
ONNX = """
import sys, numpy as np, onnxruntime, subprocess
savedmodel, images, masks = sys.argv[1:]
convert = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", savedmodel, "--tag", "serve"]
convert += ["--signature_def", "plain_mask", "--output", masks + ".onnx", "--opset", "17"]
subprocess.run(convert, check=True)
session = onnxruntime.InferenceSession(masks + ".onnx", providers=["CPUExecutionProvider"])
(name,) = (put.name for put in session.get_inputs())
np.save(masks, session.run(["mask"], {name: np.load(images)})[0])
"""


@pytest.mark.parametrize("code", [TFLITE, ONNX], ids=["tflite", "onnx"])
def test_converted_mask(tiny_model, tmp_path, code):
    images = np.random.default_rng(0).uniform(size=(3, *tiny_nets.SIZE, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    arguments = [str(tiny_model), str(tmp_path / "images.npy"), str(tmp_path / "masks.npy")]
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    model = tf.saved_model.load(str(tiny_model))
    expected = model.signatures["plain_mask"](image=images)["mask"]
    np.testing.assert_allclose(np.load(tmp_path / "masks.npy"), expected, atol=1e-5)
