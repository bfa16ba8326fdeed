"""Clients of servers and of local models; expected values come from the model itself."""

import io
import pathlib
import subprocess
import sys

import http_answers
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from PIL import Image
from serving_clients import predict_request, started

from tfdepthviz.data import samples
from tfdepthviz.serving.client import MaskClient, ServingError
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTO = pathlib.Path(samples.files("validation").images[0])
MAPS = ("mask", "binary_mask", "depth", "masked_depth")


@pytest.fixture(scope="module")
def model(tiny_model):
    """Signatures of the model, called directly."""
    loaded = tf.saved_model.load(str(tiny_model))
    yield loaded.signatures


@pytest.fixture(scope="module", params=["server", "local"])
def client(request, tiny_model):
    """Client of a server, or of the SavedModel in this process."""
    if request.param == "local":
        yield LocalModel(tiny_model)
    else:
        with MaskClient(request.getfixturevalue("tiny_server"), "tiny") as served:
            yield served


def files(contents=None):
    return tf.constant([contents or PHOTO.read_bytes()])


def test_needs_neither_tensorflow_nor_keras():
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'PIL', 'requests'): sys.modules[name] = None\n"
        "from tfdepthviz.serving.client import MaskClient\n"
        "import tfdepthviz\n"
        "assert tfdepthviz.__file__ == sys.argv[1], tfdepthviz.__file__\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    package = str(ROOT / "tfdepthviz" / "__init__.py")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, package],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    loaded = set(ran.stdout.strip("[]\n").replace("'", "").split(", "))
    assert {"numpy", "tfdepthviz"} <= loaded
    assert not loaded & {"absl", "h5py", "scipy", "matplotlib", "jax", "torch"}


def test_explain(client, model):
    answer = client.explain(PHOTO.read_bytes())
    expected = model["image_bytes"](image_bytes=files())
    for name in MAPS:
        value = getattr(answer, name)
        assert value.dtype == np.float32 and value.shape == tiny_nets.SIZE
        np.testing.assert_array_equal(value, expected[name][0, ..., 0], err_msg=name)
    assert answer.sparseness == expected["sparseness"][0]


def test_explain_at_another_threshold(client, model):
    mask = model["image_bytes"](image_bytes=files())["mask"].numpy()[0, ..., 0]
    threshold = float(np.median(mask))
    answer = client.explain(PHOTO.read_bytes(), threshold)
    np.testing.assert_array_equal(answer.mask, mask)
    np.testing.assert_array_equal(answer.binary_mask, mask > threshold)
    assert answer.sparseness == pytest.approx(0.5, abs=0.01)


def test_explain_array(client, model):
    with Image.open(PHOTO) as photo:
        pixels = np.asarray(photo.resize((31, 23)))
    rgb = pixels.astype("float32") / 255
    answer = client.explain_array(rgb)
    expected = model["serving_default"](image=rgb[None])
    for name in MAPS:
        value = getattr(answer, name)
        assert value.shape == (23, 31)
        np.testing.assert_allclose(value, expected[name][0, ..., 0], atol=1e-5, err_msg=name)
    # uint8 and float64 are the same image.
    for other in (pixels, pixels / 255):
        np.testing.assert_allclose(client.explain_array(other).mask, answer.mask, atol=1e-5)
    np.testing.assert_allclose(client.mask_array(rgb), answer.mask, atol=1e-5)


def test_mask_and_overlay(client, model):
    np.testing.assert_array_equal(
        client.mask(PHOTO.read_bytes()), model["mask_bytes"](image_bytes=files())["mask"][0, ..., 0]
    )
    levels = client.mask_png(PHOTO.read_bytes())
    assert levels == model["mask_png"](image_bytes=files())["mask_png_bytes"][0].numpy()
    overlay = client.overlay(PHOTO.read_bytes())
    assert overlay == model["overlay"](image_bytes=files())["overlay_bytes"][0].numpy()
    with Image.open(io.BytesIO(overlay)) as picture, Image.open(PHOTO) as photo:
        assert picture.format == "PNG" and picture.size == photo.size


@pytest.mark.parametrize("threshold", [0.025, 0.5])
def test_cut(client, model, threshold):
    answer = client.cut(PHOTO.read_bytes(), threshold)
    expected = model["threshold"](image_bytes=files(), threshold=tf.constant([threshold]))
    for name in ("binary_mask", "binary_depth"):
        np.testing.assert_array_equal(getattr(answer, name), expected[name][0, ..., 0])
    assert answer.sparseness == answer.binary_mask.mean() == expected["sparseness"][0]
    assert answer.fidelity_rmse == expected["fidelity_rmse"][0]


@pytest.mark.parametrize("share", [0.01, 0.36, 1])
def test_keep(client, model, share):
    answer = client.keep(PHOTO.read_bytes(), share)
    expected = model["share"](image_bytes=files(), share=tf.constant([share], tf.float32))
    for name in ("binary_mask", "binary_depth"):
        np.testing.assert_array_equal(getattr(answer, name), expected[name][0, ..., 0])
    assert answer.binary_mask.sum() == round(share * answer.binary_mask.size)
    assert answer.sparseness == expected["sparseness"][0]
    assert answer.fidelity_rmse == expected["fidelity_rmse"][0]


def test_keep_several_shares(client):
    """Smaller masks lie within larger ones, since all come from one order of the pixels."""
    shares = [0.7, 0.05, 0.36]
    cuts = client.keep(PHOTO.read_bytes(), shares)
    pixels = np.prod(tiny_nets.SIZE)
    assert [cut.binary_mask.sum() for cut in cuts] == [round(share * pixels) for share in shares]
    assert (cuts[1].binary_mask <= cuts[2].binary_mask).all()
    assert (cuts[2].binary_mask <= cuts[0].binary_mask).all()
    alone = client.keep(PHOTO.read_bytes(), 0.36)
    np.testing.assert_array_equal(cuts[2].binary_depth, alone.binary_depth)
    assert client.keep(PHOTO.read_bytes(), []) == []


def test_share_over_grpc(tiny_model, model):
    """Both protocols of the server; a batch has a share for each image."""
    shares = np.float32([0.05, 0.36])
    contents = [PHOTO.read_bytes()] * 2
    expected = model["share"](image_bytes=tf.constant(contents), share=tf.constant(shares))
    with started({"tiny": tiny_model.parent}) as server:
        request = predict_request("tiny", "share", image_bytes=contents, share=shares)
        outputs = server.predictions.Predict(request).outputs
        assert set(outputs) == set(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(tf.make_ndarray(outputs[name]), value, err_msg=name)
        with MaskClient(f"http://{server.rest_address}", "tiny") as client:
            cuts = client.keep(contents[0], shares)
        masks = [cut.binary_mask for cut in cuts]
        np.testing.assert_array_equal(masks, expected["binary_mask"][..., 0])


REGION = np.zeros((6, 8), "float32")
REGION[2:4, 3:5] = 1


def test_explain_region(client, model):
    answer = client.explain_region(PHOTO.read_bytes(), REGION, 0.1)
    expected = model["region"](
        image_bytes=files(), region=tf.constant(REGION[None]), share=tf.constant([0.1])
    )
    assert set(vars(answer)) == set(expected)
    for name, value in vars(answer).items():
        np.testing.assert_array_equal(value, np.squeeze(expected[name]), err_msg=name)
    assert answer.binary_mask.sum() == round(0.1 * np.prod(tiny_nets.SIZE))


def test_wrong_regions(client):
    with pytest.raises(
        ValueError, match=r"region must be \(h, w\) weights. Received: shape \(2,\)"
    ):
        client.explain_region(PHOTO.read_bytes(), [1, 1])
    with pytest.raises(ServingError, match="region must be one map of finite weights"):
        client.explain_region(PHOTO.read_bytes(), -REGION)


def test_region_over_grpc(tiny_model, model):
    """A batch has a map and a share for each image; integers in JSON are numbers, too."""
    inputs = {
        "image_bytes": [PHOTO.read_bytes()] * 2,
        "region": np.stack([REGION, REGION[::-1]]),
        "share": np.float32([0.05, 0.3]),
    }
    expected = model["region"](**{name: tf.constant(value) for name, value in inputs.items()})
    with started({"tiny": tiny_model.parent}) as server:
        outputs = server.predictions.Predict(predict_request("tiny", "region", **inputs)).outputs
    assert set(outputs) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(tf.make_ndarray(outputs[name]), value, err_msg=name)


def test_card(client):
    card = client.card()
    assert card["lambda"] == 3.0 and card["depth_kind"] == "metric"


def test_status_and_metadata(tiny_server):
    with MaskClient(tiny_server + "/", "tiny") as client:
        (version,) = client.status()
        assert version["version"] == "1" and version["state"] == "AVAILABLE"
        assert "signature_def" in client.metadata()["metadata"]
        signatures = client.signatures()
    assert signatures["threshold"] == (
        ["image_bytes", "threshold"],
        ["binary_depth", "binary_mask", "covered", "fidelity_rmse", "sparseness"],
    )
    assert set(signatures) == {
        *("serving_default", "image_bytes", "mask", "mask_bytes", "overlay", "threshold", "share"),
        *("card", "plain_mask", "mask_png", "region"),
    }


@pytest.mark.parametrize("version", [1, "stable"])
def test_versions_and_labels(tiny_server, version):
    with MaskClient(tiny_server, "tiny", version) as client:
        assert client.mask(PHOTO.read_bytes()).shape == tiny_nets.SIZE
    kind, status = ("label", 400) if version == "stable" else ("version", 404)
    with MaskClient(tiny_server, "tiny", type(version)(7)) as client:
        with pytest.raises(
            ServingError, match=f"{tiny_server}, model tiny, {kind} 7: answered {status}"
        ):
            client.mask(PHOTO.read_bytes())


def test_wrong_images(client):
    for wrong, message in [
        (np.zeros((4, 5)), r"must be \(h, w, 3\). Received: shape \(4, 5\)"),
        (np.zeros((0, 5, 3)), r"Received: shape \(0, 5, 3\)"),
        (np.zeros((4, 5, 3), int), "Received: int64"),
    ]:
        with pytest.raises(ValueError, match=message):
            client.explain_array(wrong)
    # The message names no nodes of the graph.
    for ask, message in [
        (
            lambda: client.explain_array(np.full((4, 5, 3), 255.0)),
            "image must be RGB in [0, 1]; bytes are divided by 255. Received: values from "
            "255.00 to 255.00",
        ),
        (
            lambda: client.cut(PHOTO.read_bytes(), 3.0),
            "threshold must be one number from 0 to 1 for each image. Received: 3.000000",
        ),
        (
            lambda: client.keep(PHOTO.read_bytes(), [0.5, 0.0]),
            "share must be one number above 0 and up to 1 for each image. Received: 0.000000",
        ),
    ]:
        with pytest.raises(ServingError) as caught:
            ask()
        assert caught.value.status == 400
        text = str(caught.value).partition(": ")[2].removeprefix("answered 400 Bad Request: ")
        assert text == message
        assert "node" not in text and "\n" not in text


def test_missing_signature(tmp_path):
    module = tf.Module()
    module.call = tf.function(
        lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec((None,), tf.float32, "x")]
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.call)
    with started({"other": tmp_path}) as server:
        with MaskClient(f"http://{server.rest_address}", "other") as client:
            with pytest.raises(
                ServingError, match=r"signature overlay; it has serving_default \(x"
            ):
                client.overlay(PHOTO.read_bytes())
    with pytest.raises(ServingError, match="no signature overlay; it has serving_default"):
        LocalModel(tmp_path / "1").overlay(PHOTO.read_bytes())
    with pytest.raises(InputError, match="expected the folder of one exported version"):
        LocalModel(tmp_path)


def test_unexpected_answers():
    answers = {
        "/v1/models/a:predict": (200, {"outputs": {"depth": [1.0]}}),
        "/v1/models/b:predict": (200, {"outputs": [[[[0.5]], [[1.0], [2.0]]]]}),
        "/v1/models/c": (200, ["no", "status"]),
    }
    with http_answers.answering(lambda path, _: answers[path]) as address:
        for name, message in [
            ("a", "signature mask_bytes gives depth; expected mask"),
            ("b", "signature mask_bytes gives no arrays"),
        ]:
            with MaskClient(address, name) as client:
                with pytest.raises(ServingError, match=f"model {name}: {message}"):
                    client.mask(b"")
        with MaskClient(address, "c") as client:
            with pytest.raises(ServingError, match="no model_version_status in the answer"):
                client.status()
