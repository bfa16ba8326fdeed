"""The page in a browser, with several models, late servers and depth without a unit."""

import base64
import json
import shutil
import time

import http_answers
import numpy as np
import pytest
import tiny_nets
from browser_page import DROP, PHOTO, Page, chromium, expected, needed
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from serving_clients import config_of, started

from tfdepthviz import export
from tfdepthviz.models.target import DepthTarget

pytestmark = needed


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def test_list_of_models(browser, tiny_model, toys, tmp_path):
    """Two versions of one model, and another model without our signatures."""
    for version in (1, 2):
        shutil.copytree(tiny_model, tmp_path / "tiny" / str(version))
    models = {"affine": toys / "affine", "tiny": tmp_path / "tiny"}
    models = config_of(models, "model_version_policy { all {} }")
    with started(models) as client:
        page = Page(browser, f"http://{client.rest_address}")
        page.wait(lambda: page.find("#error").is_displayed())
        assert "has no signature image_bytes, threshold, card" in page.text("#error")
        offered = [option.text for option in browser.find_elements(By.CSS_SELECTOR, "option")]
        assert offered == ["affine", "tiny", "tiny, version 1", "tiny, version 2"]
        page.find("#model").send_keys(*[Keys.ARROW_DOWN] * 2)
        page.choose(PHOTO)
        assert not page.find("#error").is_displayed()
        assert page.numbers() == expected(f"http://{client.rest_address}", 0.36)


def test_fast_switches_of_models(browser, tiny_server):
    """The first model's answer comes late, after the second has been chosen."""
    slow, answered = [], http_answers.relayed(tiny_server)

    def answer(path, body):
        if path == "/models.json":
            return 200, {"models": [{"name": name, "versions": [1]} for name in ("first", "tiny")]}
        if path.startswith("/v1/models/first") and body and b"image_bytes" in body and slow:
            time.sleep(0.6)
        if path == "/v1/models/tiny/metadata":
            time.sleep(1.2)
        return answered(path.replace("/first", "/tiny"), body)

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.choose(PHOTO)
        slow.append(True)
        page.find("#slider").send_keys(Keys.ARROW_RIGHT)
        page.run("document.getElementById('said').textContent = ''")
        page.find("#model").send_keys(Keys.ARROW_DOWN)
        # A photograph dropped meanwhile waits for the model.
        page.run(DROP, base64.b64encode(PHOTO.read_bytes()).decode(), "my.jpg", "drop")
        time.sleep(0.9)
        assert not page.find("#error").is_displayed()
        page.wait_for("Share 37 %")
        assert not page.find("#error").is_displayed() and page.find("#results").is_displayed()
        assert page.numbers() == expected(address, 0.37)


def test_older_exports_by_threshold(browser, tiny_server):
    """A model of before the signature `share`, and one with it, in turns."""
    answered = http_answers.relayed(tiny_server)

    def answer(path, body):
        if path == "/models.json":
            return 200, {"models": [{"name": name, "versions": [1]} for name in ("older", "tiny")]}
        status, content, *more = answered(path.replace("/older", "/tiny"), body)
        if path == "/v1/models/older/metadata":
            content = json.loads(content)
            del content["metadata"]["signature_def"]["signature_def"]["share"]
            return status, content
        return status, content, *more

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.choose(PHOTO, "Threshold 0.025")
        assert page.find("#older").is_displayed()
        assert page.text("#sets") == "Threshold of the mask"
        assert page.numbers() == expected(address, threshold=0.025)
        page.find("#slider").send_keys(*[Keys.ARROW_RIGHT] * 13)
        page.wait_for("Threshold 0.4")
        kept, off = page.numbers()
        assert (kept, off) == expected(address, threshold=0.4)
        spoken = page.find("#slider").get_attribute("aria-valuetext")
        assert spoken == f"0.4, keeps {100 * kept:.1f} % of the pixels"
        page.find("#model").send_keys(Keys.ARROW_DOWN)
        page.wait_for("Share 36 %")
        assert not page.find("#older").is_displayed()
        assert page.numbers() == expected(address, 0.36)
        page.find("#model").send_keys(Keys.ARROW_UP)
        page.wait_for("Threshold 0.025")
    assert browser.get_log("browser") == []


def test_late_server_is_asked_again(browser, tiny_server):
    gone, answered = [True], http_answers.relayed(tiny_server)

    def answer(path, body):
        return (503, {"error": "loading"}) if gone and path != "/" else answered(path, body)

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.wait(lambda: "busy or still loading" in page.text("#error"))
        gone.clear()
        page.find("#file").send_keys(str(PHOTO))
        page.wait_for("Share 36 %")
        assert not page.find("#error").is_displayed()


def test_graph_errors_without_node_names(browser, tiny_server):
    answered = http_answers.relayed(tiny_server)

    def answer(path, body):
        question = json.loads(body) if body else {}
        if "share" in question.get("inputs", {}):
            question["inputs"]["share"] = [3]
            body = json.dumps(question).encode()
        return answered(path, body)

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.wait(lambda: page.find("#about").is_displayed())
        page.find("#file").send_keys(str(PHOTO))
        page.wait(lambda: page.find("#error").is_displayed())
        assert page.text("#error") == (
            "The server answered 400: share must be one number above 0 and up to 1 for each image. "
            "Received: 3.000000"
        )


@pytest.mark.parametrize("kind", ["relative", "inverse"])
def test_depth_without_a_unit(browser, tmp_path, kind):
    nets = DepthTarget(tiny_nets.depth_net(), kind), tiny_nets.mask_net()
    card = {"depth_net": "tiny"}
    export.export_savedmodel(*nets, tmp_path / "m", card=card, warmup=False)
    with started({"m": tmp_path / "m"}) as client:
        page = Page(browser, f"http://{client.rest_address}")
        frames = [Image.new("RGB", (70, 50), colour) for colour in ("red", "blue")]
        frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
        page.choose(tmp_path / "moving.gif")
        ends = ["near", "far"] if kind == "relative" else ["far", "near"]
        shown = [span.text for span in browser.find_elements(By.CSS_SELECTOR, ".scale + div span")]
        assert shown == ends * 2
        assert "null" not in page.text("#off") and "undefined" not in page.text("#off")
        assert np.median(page.picture("photo"), (0, 1)).tolist() == [255, 0, 0]
