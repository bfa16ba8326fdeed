"""The page in a real browser: a photograph goes in, the threshold moves, numbers come out."""

import base64
import io
import json
import pathlib
import shutil
import time

import http_answers
import numpy as np
import pytest
import tiny_nets
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from serving_clients import config_of, started

from tfdepthviz import export
from tfdepthviz.data import samples
from tfdepthviz.serving.client import MaskClient

PHOTO = pathlib.Path(samples.files("validation").images[0])
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER),
    reason="THE PAGE IS NOT TESTED: it needs Chromium and its driver, in Debian's packages "
    "chromium and chromium-driver",
)
SWITCHES = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
    "disable-component-update disable-sync"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in SWITCHES.split():
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    yield driver
    driver.quit()


class Page:
    """The page as a person uses it."""

    def __init__(self, browser, address, width=1200, dark=False):
        self.browser = browser
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        browser.get(address)

    def command(self, name, **arguments):
        return self.browser.execute_cdp_cmd(name, arguments)

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def wait(self, condition):
        return WebDriverWait(self.browser, 60, 0.05).until(lambda _: condition())

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def choose(self, path, threshold="0.025"):
        """Chooses a file, and waits for the answer at a threshold."""
        self.wait(lambda: self.find("#about").is_displayed())
        self.find("#file").send_keys(str(path))
        self.wait_for(threshold)

    def wait_for(self, threshold):
        self.wait(lambda: self.text("#said").startswith(f"Threshold {threshold}:"))

    def press(self, *keys):
        webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self):
        return self.run("const e = document.activeElement; return e.id || e.value || e.tagName")

    def picture(self, name):
        """What a canvas shows, (h, w, 3) uint8."""
        url = self.run("return document.getElementById(arguments[0]).toDataURL()", name)
        with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
            return np.asarray(image.convert("RGB"))

    def numbers(self):
        """Share of kept pixels, and RMSE, as the page says them."""
        kept, off = self.text("#kept"), self.text("#off")
        assert kept.endswith(" %") and off.endswith(" m")
        return float(kept[:-2]) / 100, float(off[:-2])


def expected(address, threshold):
    """The same by the client; a browser decodes and resizes JPEG slightly differently."""
    with MaskClient(address, "tiny") as client:
        cut = client.cut(PHOTO.read_bytes(), threshold)
    return pytest.approx((cut.sparseness, cut.fidelity_rmse), abs=0.02)


def test_a_photograph_by_keyboard_alone(browser, tiny_server):
    page = Page(browser, tiny_server)
    page.wait(lambda: page.find("#about").is_displayed())
    order = []
    for _ in range(2):
        page.press(Keys.TAB)
        order.append(page.focused())
    assert order == ["model", "file"]
    page.choose(PHOTO)
    assert page.numbers() == expected(tiny_server, 0.025)
    page.press(Keys.TAB)
    assert page.focused() == "threshold"
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.press(*[Keys.ARROW_RIGHT] * 13)
    page.wait_for("0.4")
    kept, off = page.numbers()
    assert (kept, off) == expected(tiny_server, 0.4)
    assert 0.1 < kept < 0.9 and off > 0
    slider = page.find("#threshold")
    assert slider.get_attribute("aria-valuetext") == f"0.4, keeps {100 * kept:.1f} % of the pixels"
    # One dot for each threshold that was asked, and words for who does not see them.
    assert len(browser.find_elements(By.CSS_SELECTOR, "#curve circle")) == 2
    assert f"{100 * kept:.1f} % kept, " in page.find("#curve").get_attribute("aria-label")
    # Past the button that saves the photograph and the one of the mask, to how it is shown.
    page.press(Keys.TAB, Keys.TAB, Keys.TAB)
    assert page.focused() == "kept"
    page.press(Keys.ARROW_RIGHT)
    cut = page.picture("mask")
    assert set(np.unique(cut)) == {0, 255}
    assert (cut / 255).mean() == pytest.approx(kept, abs=0.01)
    assert (page.picture("depth") != page.picture("kept_depth")).any()
    page.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    assert "input_size" in page.find("#card").text
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("dark", [False, True])
def test_narrow_screens(browser, tiny_server, tmp_path, dark):
    page = Page(browser, tiny_server, width=360, dark=dark)
    page.choose(PHOTO)
    # No wider than the window, less its scroll bar.
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
    """Ratio of luminances as WCAG 2 defines it."""
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    colours = [page.run(script, text, "color"), page.run(script, behind, "backgroundColor")]
    levels = []
    for colour in colours:
        rgb = np.array([float(v) for v in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        levels.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(levels) / min(levels)


def test_large_and_turned_photographs_are_sent_small_and_upright(browser, tiny_server, tmp_path):
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
        assert image.size == (768, 1024)
        upright = photo.transpose(Image.Transpose.ROTATE_270).resize((24, 32))
        small = image.convert("RGB").resize((24, 32))
    np.testing.assert_allclose(np.asarray(small, float), np.asarray(upright, float), atol=40)


def test_late_answers_to_an_earlier_threshold_are_dropped(browser, tiny_server):
    asked, answered = [], http_answers.relayed(tiny_server)

    def answer(path, body):
        question = json.loads(body) if body else {}
        if question.get("signature_name") == "threshold":
            asked.append(question["inputs"]["threshold"][0])
            if asked[-1] == 0.03:
                time.sleep(1.5)
        return answered(path, body)

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.choose(PHOTO)
        page.find("#threshold").send_keys(Keys.ARROW_RIGHT)
        page.wait(lambda: 0.03 in asked)
        # Seven steps at once are one question.
        page.find("#threshold").send_keys(*[Keys.ARROW_RIGHT] * 7)
        page.wait_for("0.15")
        assert asked == [0.025, 0.03, 0.15]
        time.sleep(1.6)
        assert page.text("#said").startswith("Threshold 0.15:")
        assert page.numbers() == expected(address, 0.15)


# What a file manager, or another program, hands over.
DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], arguments[1], {type: "image/jpeg"}));
document.dispatchEvent(arguments[2] === "drop"
  ? new DragEvent("drop", {dataTransfer: data, cancelable: true})
  : new ClipboardEvent("paste", {clipboardData: data}));
"""


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_photographs_are_dropped_or_pasted_and_pictures_saved(browser, tiny_server, tmp_path, way):
    page = Page(browser, tiny_server)
    page.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.wait(lambda: page.find("#about").is_displayed())
    page.run(DROP, base64.b64encode(PHOTO.read_bytes()).decode(), "my.photo.jpg", way)
    page.wait_for("0.025")
    names = {f"my.photo_{name}.png" for name in ("photo", "mask_kept", "depth", "kept_depth")}
    for button in browser.find_elements(By.CSS_SELECTOR, "[data-save]"):
        button.click()
        page.wait(lambda: not list(tmp_path.glob("*.crdownload")))
    page.wait(lambda: {path.name for path in tmp_path.iterdir()} == names)
    for name in names:
        with Image.open(tmp_path / name) as image:
            assert image.size == (640, 480)
    with Image.open(tmp_path / "my.photo_depth.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), page.picture("depth"))
    assert browser.get_log("browser") == []


def test_failures_are_told_in_words(browser, tiny_server, tmp_path):
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
        # So that a server that is gone does not go on answering old connections.
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
        slider = page.find("#threshold")
        for status, words in ((503, "busy or still loading"), (400, "400: what the server says")):
            refuse[:] = [status]
            slider.send_keys(Keys.ARROW_RIGHT)
            page.wait(lambda words=words: words in page.text("#error"))
        refuse.clear()
        slider.send_keys(Keys.ARROW_RIGHT)
        page.wait_for("0.05")
        assert not page.find("#error").is_displayed()
        page.find("#model").send_keys(Keys.ARROW_DOWN)
        assert "has no signature image_bytes, threshold, card" in said()
        assert not page.find("#results").is_displayed()
        page.find("#model").send_keys(Keys.ARROW_UP)
        page.wait(page.find("#results").is_displayed)
        page.wait_for("0.05")
    slider.send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: "The server cannot be reached" in page.text("#error"))


def test_the_server_s_own_list_of_models(browser, tiny_model, toys, tmp_path):
    """Two versions of one model, and a model of somebody else's."""
    for version in (1, 2):
        shutil.copytree(tiny_model, tmp_path / "tiny" / str(version))
    models = config_of({"affine": toys / "affine", "tiny": tmp_path / "tiny"})
    models.model_config_list.config[1].model_version_policy.all.SetInParent()
    with started(models) as client:
        page = Page(browser, f"http://{client.rest_address}")
        page.wait(lambda: page.find("#error").is_displayed())
        assert "has no signature image_bytes, threshold, card" in page.text("#error")
        offered = [option.text for option in browser.find_elements(By.CSS_SELECTOR, "option")]
        assert offered == ["affine", "tiny", "tiny, version 1", "tiny, version 2"]
        page.find("#model").send_keys(*[Keys.ARROW_DOWN] * 2)
        page.choose(PHOTO)
        assert not page.find("#error").is_displayed()
        assert page.numbers() == expected(f"http://{client.rest_address}", 0.025)


def test_fast_switches_of_models_show_the_last_one(browser, tiny_server):
    """The answer of the model before comes late, while the next one is being asked for."""
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
        page.find("#threshold").send_keys(Keys.ARROW_RIGHT)
        page.run("document.getElementById('said').textContent = ''")
        page.find("#model").send_keys(Keys.ARROW_DOWN)
        # A photograph in the middle of it waits for the model.
        page.run(DROP, base64.b64encode(PHOTO.read_bytes()).decode(), "my.jpg", "drop")
        time.sleep(0.9)
        assert not page.find("#error").is_displayed()
        page.wait_for("0.03")
        assert not page.find("#error").is_displayed() and page.find("#results").is_displayed()
        assert page.numbers() == expected(address, 0.03)


def test_a_server_that_comes_late_is_asked_again(browser, tiny_server):
    gone, answered = [True], http_answers.relayed(tiny_server)

    def answer(path, body):
        return (503, {"error": "loading"}) if gone and path != "/" else answered(path, body)

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.wait(lambda: "busy or still loading" in page.text("#error"))
        gone.clear()
        page.find("#file").send_keys(str(PHOTO))
        page.wait_for("0.025")
        assert not page.find("#error").is_displayed()


def test_what_the_model_refuses_is_said_without_nodes_of_its_graph(browser, tiny_server):
    answered = http_answers.relayed(tiny_server)

    def answer(path, body):
        question = json.loads(body) if body else {}
        if "threshold" in question.get("inputs", {}):
            question["inputs"]["threshold"] = [3]
            body = json.dumps(question).encode()
        return answered(path, body)

    with http_answers.answering(answer) as address:
        page = Page(browser, address)
        page.wait(lambda: page.find("#about").is_displayed())
        page.find("#file").send_keys(str(PHOTO))
        page.wait(lambda: page.find("#error").is_displayed())
        assert page.text("#error") == (
            "The server answered 400: threshold must be one number from 0 to 1 for each image. "
            "Received: 3.000000"
        )


@pytest.mark.parametrize("kind", ["relative", "inverse"])
def test_depth_without_a_unit(browser, tmp_path, kind):
    nets = tiny_nets.depth_net(), tiny_nets.mask_net()
    card = {"depth_net": "tiny"}
    export.export_savedmodel(*nets, tmp_path / "m", card=card, depth_kind=kind, warmup=False)
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
