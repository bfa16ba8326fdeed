"""The page in a real browser: a photograph goes in, the share of pixels moves, numbers come out."""

import base64
import io
import json
import time

import http_answers
import numpy as np
import pytest
from browser_page import DROP, PHOTO, Page, chromium, expected, needed
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tfdepthviz.serving.client import MaskClient

pytestmark = needed


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def test_keyboard_alone(browser, tiny_server):
    page = Page(browser, tiny_server)
    page.wait(lambda: page.find("#about").is_displayed())
    order = []
    for _ in range(2):
        page.press(Keys.TAB)
        order.append(page.focused())
    assert order == ["model", "file"]
    page.choose(PHOTO)
    assert page.numbers() == expected(tiny_server, 0.36)
    page.press(Keys.TAB)
    assert page.focused() == "slider"
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.press(*[Keys.ARROW_LEFT] * 16)
    page.wait_for("Share 20 %")
    kept, off = page.numbers()
    assert (kept, off) == expected(tiny_server, 0.2)
    assert kept == 0.2 and off > 0
    slider = page.find("#slider")
    assert slider.get_attribute("aria-valuetext") == "20 % of the pixels"
    page.press(Keys.END)
    page.wait_for("Share 100 %")
    assert page.numbers() == (1, 0)
    page.press(Keys.HOME)
    page.wait_for("Share 1 %")
    assert page.numbers() == expected(tiny_server, 0.01)
    page.press(*[Keys.ARROW_RIGHT] * 19)
    page.wait_for("Share 20 %")
    # One dot for each requested share, and a description for screen readers.
    assert len(browser.find_elements(By.CSS_SELECTOR, "#curve circle")) == 4
    assert f"{100 * kept:.1f} % kept, " in page.find("#curve").get_attribute("aria-label")
    # Past two buttons that save and the photograph's marker, to the choice of view.
    page.press(*[Keys.TAB] * 4)
    assert page.focused() == "kept"
    page.press(Keys.ARROW_RIGHT)
    cut = page.picture("mask")
    assert set(np.unique(cut)) == {0, 255}
    assert (cut / 255).mean() == pytest.approx(kept, abs=0.01)
    assert (page.picture("depth") != page.picture("kept_depth")).any()
    page.press(*[Keys.TAB] * 4, Keys.ENTER)
    assert "images of 20 by 16 pixels" in page.find("#facts").text
    assert "input_size" in page.text("#card")
    assert browser.get_log("browser") == []


def test_two_places(browser, tiny_server):
    """A drag, a click and the keyboard ask; the figures are the client's for the same regions."""
    page = Page(browser, tiny_server)
    page.choose(PHOTO)
    depth = page.find("#depth")
    width, height = depth.size["width"], depth.size["height"]
    mouse = webdriver.ActionChains(browser).move_to_element_with_offset(depth, -width // 4, 0)
    mouse.click_and_hold().move_by_offset(width // 2, height // 4).release().perform()
    page.wait_for("Place A")
    region = np.zeros((96, 96))
    region[48:72, 24:72] = 1
    with MaskClient(tiny_server, "tiny") as client:
        sent = base64.b64decode(page.run("return photo.base64"))
        answer = client.explain_region(sent, region, 0.05)
    here, kept, without, outside = (d.text for d in browser.find_elements(By.TAG_NAME, "dd")[2:6])
    assert float(here[:-2]) == pytest.approx(answer.region_depth, abs=0.02)
    assert float(kept[:-2]) == pytest.approx(answer.region_kept_depth, abs=0.05)
    assert float(without[:-2]) == pytest.approx(answer.region_deleted_depth, abs=0.05)
    assert float(outside[:-2]) == pytest.approx(100 * answer.outside, abs=10)
    page.find("#photo").click()
    page.wait_for("Place B")
    page.run("document.querySelector('.pick').focus()")
    page.press(Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ENTER)
    page.wait_for("Place A")
    captions = [c.text for c in browser.find_elements(By.CSS_SELECTOR, "#places figcaption")]
    assert [caption[:2] for caption in captions] == ["A:", "B:"]
    assert page.run("return document.querySelectorAll('.pick rect').length") == 4
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("dark", [False, True])
def test_narrow_screens(browser, tiny_server, tmp_path, dark):
    page = Page(browser, tiny_server, width=360, dark=dark)
    page.choose(PHOTO)
    # No wider than the window without its scroll bar.
    width = page.run("return document.documentElement.scrollWidth")
    assert width == page.run("return document.documentElement.clientWidth") <= 360
    for element in browser.find_elements(By.CSS_SELECTOR, "button, input, select, canvas, dd"):
        box = element.rect
        assert 0 <= box["x"] and box["x"] + box["width"] <= 360, element.get_attribute("outerHTML")
    assert contrast(page, "body", "body") > 7
    for selector in ("dt", ".small", "figcaption", "summary"):
        assert contrast(page, selector, ".card") > 4.5
    shot = page.command("Page.captureScreenshot", captureBeyondViewport=True)["data"]
    with Image.open(io.BytesIO(base64.b64decode(shot))) as image:
        assert width == image.width <= 360 and image.height > 800
        corner = np.mean(image.convert("RGB").getpixel((1, 1)))
    assert corner < 60 if dark else corner > 200
    assert browser.get_log("browser") == []


def contrast(page, text, behind):
    """Contrast ratio of two colours, as WCAG 2 defines it."""
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    colours = [page.run(script, text, "color"), page.run(script, behind, "backgroundColor")]
    levels = []
    for colour in colours:
        rgb = np.array([float(v) for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        levels.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(levels) / min(levels)


def test_photographs_are_sent_small_and_upright(browser, tiny_server, tmp_path):
    sent, answered = [], http_answers.relayed(tiny_server)

    def answer(path, body):
        if body and b"image_bytes" in body:
            (image,) = json.loads(body)["inputs"]["image_bytes"]
            sent.append(base64.b64decode(image["b64"]))
        return answered(path, body)

    with Image.open(PHOTO) as photo:
        exif = photo.getexif()
        exif[0x0112] = 6  # a viewer turns it to the right
        photo.resize((4000, 3000)).save(tmp_path / "large.jpg", exif=exif)
    with http_answers.answering(answer) as address:
        Page(browser, address).choose(tmp_path / "large.jpg")
    with Image.open(io.BytesIO(sent[0])) as image, Image.open(PHOTO) as photo:
        # The middle of the upright photograph, in the network's aspect ratio of 20:16.
        assert image.size == (1024, 819)
        upright = photo.transpose(Image.Transpose.ROTATE_270).resize((300, 400))
        upright = upright.crop((0, 80, 300, 320)).resize((32, 26))
        small = image.convert("RGB").resize((32, 26))
    np.testing.assert_allclose(np.asarray(small, float), np.asarray(upright, float), atol=40)


def test_late_answers_are_dropped(browser, tiny_server):
    shares, answered = [], http_answers.relayed(tiny_server)

    def answer(path, body):
        question = json.loads(body) if body else {}
        if question.get("signature_name") == "share":
            shares.append(question["inputs"]["share"][0])
            if shares[-1] == 0.37:
                time.sleep(1.5)
        return answered(path, body)

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.choose(PHOTO)
        page.find("#slider").send_keys(Keys.ARROW_RIGHT)
        page.wait(lambda: 0.37 in shares)
        # Seven steps at once are one request.
        page.find("#slider").send_keys(*[Keys.ARROW_RIGHT] * 7)
        page.wait_for("Share 44 %")
        assert shares == [0.36, 0.37, 0.44]
        time.sleep(1.6)
        assert page.text("#said").startswith("Share 44 %:")
        assert page.numbers() == expected(address, 0.44)


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_drop_paste_and_save(browser, tiny_server, tmp_path, way):
    page = Page(browser, tiny_server)
    page.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.wait(lambda: page.find("#about").is_displayed())
    page.run(DROP, base64.b64encode(PHOTO.read_bytes()).decode(), "my.photo.jpg", way)
    page.wait_for("Share 36 %")
    names = {f"my.photo_{name}.png" for name in ("photo", "mask_kept", "depth", "kept_depth")}
    for button in browser.find_elements(By.CSS_SELECTOR, "[data-save]"):
        button.click()
        page.wait(lambda: not list(tmp_path.glob("*.crdownload")))
    page.wait(lambda: {path.name for path in tmp_path.iterdir()} == names)
    for name in names:
        with Image.open(tmp_path / name) as image:
            assert image.size == (640, 512)
    with Image.open(tmp_path / "my.photo_depth.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), page.picture("depth"))
    assert browser.get_log("browser") == []


def test_failures_in_words(browser, tiny_server, tmp_path):
    (tmp_path / "notes.png").write_text("no image")
    refuse, answered = [], http_answers.relayed(tiny_server)

    def answer(path, body):
        if path == "/models.json":
            return 200, {
                "models": [{"name": "tiny", "versions": [1]}, {"name": "other", "versions": [1]}]
            }
        if path == "/v1/models/other/metadata":
            return 200, {"metadata": {"signature_def": {"signature_def": {"serving_default": {}}}}}
        if refuse:
            return refuse[0], {"error": "what the server says"}
        status, content, headers = answered(path, body)
        # Old connections must not outlive the server.
        return status, content, headers | {"Connection": "close"}

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.choose(PHOTO)

        def said():
            page.wait(lambda: page.find("#error").is_displayed())
            return page.text("#error")

        page.find("#file").send_keys(str(tmp_path / "notes.png"))
        assert said().startswith("notes.png is no image that this browser can read")
        assert page.find("#results").is_displayed()
        slider = page.find("#slider")
        for status, words in ((503, "busy or still loading"), (400, "400: what the server says")):
            refuse[:] = [status]
            slider.send_keys(Keys.ARROW_RIGHT)
            page.wait(lambda words=words: words in page.text("#error"))
        refuse.clear()
        slider.send_keys(Keys.ARROW_RIGHT)
        page.wait_for("Share 39 %")
        assert not page.find("#error").is_displayed()
        page.find("#model").send_keys(Keys.ARROW_DOWN)
        assert "has no signature image_bytes, threshold, card" in said()
        assert not page.find("#results").is_displayed()
        page.find("#model").send_keys(Keys.ARROW_UP)
        page.wait(page.find("#results").is_displayed)
        page.wait_for("Share 39 %")
    slider.send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: "The server cannot be reached" in page.text("#error"))
