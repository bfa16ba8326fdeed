"""Warm-up requests: what TensorFlow Serving runs on a version before it answers clients.

The file is a TFRecord of PredictionLog messages. Their few fields are written here byte by byte,
because an export should not need tensorflow-serving-api; the tests read them with it.
"""

import tensorflow as tf

from tfdepthviz.utils.constants import SHARE, THRESHOLD
from tfdepthviz.utils.wire import field


def write_warmup(path, model_name, size, signatures):
    """Writes one request for each signature of `signatures.build_signatures`.

    Their images are plain grey, since any image warms up the server.

    Args:
      path: file to write; its folder must exist.
      model_name: the name under which the server has the model.
      size: (H, W) of the images.
      signatures: names of those that the model has.
    """
    grey = tf.fill((*size, 3), tf.constant(128, tf.uint8))
    image = {"image": tf.make_tensor_proto(0.5, tf.float32, (1, *size, 3))}
    file = {"image_bytes": tf.make_tensor_proto([tf.io.encode_jpeg(grey).numpy()])}
    requests = {
        "serving_default": image,
        "image_bytes": file,
        "mask": image,
        "mask_bytes": file,
        "mask_png": file,
        "plain_mask": image,
        "overlay": file,
        "threshold": file | {"threshold": tf.make_tensor_proto([THRESHOLD], tf.float32)},
        "share": file | {"share": tf.make_tensor_proto([SHARE], tf.float32)},
        "region": file
        | {
            "region": tf.make_tensor_proto(1.0, tf.float32, (1, 1, 1)),
            "share": tf.make_tensor_proto([SHARE], tf.float32),
        },
        "card": {"field": tf.make_tensor_proto([""])},
    }
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature_name in signatures:
            inputs = requests[signature_name]
            writer.write(_prediction_log(model_name, signature_name, inputs))


def _prediction_log(model_name, signature_name, inputs):
    """One PredictionLog as bytes.

    Field numbers: PredictionLog.predict_log 6, PredictLog.request 1; PredictRequest.model_spec 1
    and .inputs 2, a map of key 1 and value 2; ModelSpec.name 1 and .signature_name 3.
    """
    model_spec = field(1, model_name.encode()) + field(3, signature_name.encode())
    request = field(1, model_spec)
    for name, tensor in inputs.items():
        request += field(2, field(1, name.encode()) + field(2, tensor.SerializeToString()))
    return field(6, field(1, request))
