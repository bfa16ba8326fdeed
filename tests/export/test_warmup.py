"""Warm-up requests, read with the real messages and replayed through the saved signatures."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.export import warmup

prediction_log_pb2 = pytest.importorskip(
    "tensorflow_serving.apis.prediction_log_pb2", reason="needs tensorflow-serving-api"
)


@pytest.fixture(scope="module")
def session(warmed):
    """The model as the server runs it: a session that is fed tensors by name."""
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph)
    with graph.as_default():
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], str(warmed))

    def answer(signature_name, inputs):
        signature = meta_graph.signature_def[signature_name]
        assert signature.inputs.keys() == inputs.keys()
        fed = {signature.inputs[name].name: value for name, value in inputs.items()}
        return session.run({k: info.name for k, info in signature.outputs.items()}, fed)

    yield answer
    session.close()


def test_every_signature_answers_its_request(warmed, session):
    loaded = tf.saved_model.load(str(warmed))
    path = warmed / "assets.extra" / "tf_serving_warmup_requests"
    seen = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        # Fields that the messages do not know would be missing here.
        assert log.ByteSize() == len(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == warmed.parent.name
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        name = request.model_spec.signature_name
        answer = session(name, inputs)
        assert answer and all(output.shape[0] == 1 for output in answer.values())
        for output, value in loaded.signatures[name](**inputs).items():
            if value.dtype.is_floating:
                np.testing.assert_allclose(answer[output], value, atol=1e-5)
            else:
                assert answer[output] == value.numpy()
        seen.append(name)
    assert sorted(seen) == sorted(loaded.signatures)
    assert path.stat().st_size < 10_000


def test_refusals_in_a_session(session):
    for name, inputs in [
        ("card", {"field": [b"no such field"]}),
        ("overlay", {"image_bytes": [b"no image"]}),
        ("mask", {"image": np.full((1, 5, 7, 3), 255.0)}),
        ("threshold", {"image_bytes": [b""], "threshold": [2.0]}),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError):
            session(name, inputs)


def test_lengths_of_more_than_one_byte(tmp_path):
    """Names of 1 to 20,000 letters: the lengths around them take one to three bytes."""
    for letters in (1, 127, 128, 16383, 16384, 20000):
        path = tmp_path / str(letters)
        warmup.write_warmup(path, "m" * letters, (8, 12), ["mask", "card"])
        records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
        for record in records:
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            assert request.model_spec.name == "m" * letters
        image = prediction_log_pb2.PredictionLog.FromString(records[0]).predict_log.request
        np.testing.assert_array_equal(
            tf.make_ndarray(image.inputs["image"]), np.full((1, 8, 12, 3), 0.5, "float32")
        )
