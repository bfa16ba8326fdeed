"""The server's page in headless Chromium, driven as a person uses it."""

import base64
import contextlib
import io
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tfdepthviz.data import samples
from tfdepthviz.serving.client import MaskClient

PHOTO = pathlib.Path(samples.files("validation").images[0])
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
needed = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER),
    reason="THE PAGE IS NOT TESTED: it needs Chromium and its driver, in Debian's packages "
    "chromium and chromium-driver",
)
SWITCHES = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
    "disable-component-update disable-sync"
)


# The events that a file manager or another program sends.
DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
const data = new DataTransfer();
data.items.add(new File([bytes], arguments[1], {type: "image/jpeg"}));
document.dispatchEvent(arguments[2] === "drop"
  ? new DragEvent("drop", {dataTransfer: data, cancelable: true})
  : new ClipboardEvent("paste", {clipboardData: data}));
"""


@contextlib.contextmanager
def chromium(profile):
    """A browser, as a context manager; `profile` is the folder of its profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in SWITCHES.split():
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page in a browser: keys, files, and what it shows."""

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

    def choose(self, path, value="Share 36 %"):
        """Chooses a file, and waits for the result at a value of the slider."""
        self.wait(lambda: self.find("#about").is_displayed())
        self.find("#file").send_keys(str(path))
        self.wait_for(value)

    def wait_for(self, value):
        self.wait(lambda: self.text("#said").startswith(f"{value}:"))

    def press(self, *keys):
        webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self):
        return self.run("const e = document.activeElement; return e.id || e.value || e.tagName")

    def picture(self, name):
        """Contents of a canvas, (h, w, 3) uint8."""
        url = self.run("return document.getElementById(arguments[0]).toDataURL()", name)
        with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
            return np.asarray(image.convert("RGB"))

    def numbers(self):
        """(share of kept pixels, RMSE) that the page shows."""
        kept, off = self.text("#kept"), self.text("#off")
        assert kept.endswith(" %") and off.endswith(" m")
        return float(kept[:-2]) / 100, float(off[:-2])


def expected(address, share=None, *, threshold=None):
    """The same numbers by the client; a browser decodes and resizes JPEG slightly differently."""
    with MaskClient(address, "tiny") as client:
        contents = PHOTO.read_bytes()
        cut = client.keep(contents, share) if share else client.cut(contents, threshold)
    return pytest.approx((cut.sparseness, cut.fidelity_rmse), abs=0.02)
