"""The page at /: one self-contained file, with a policy that allows only its own scripts."""

import base64
import functools
import hashlib
import pathlib
import re

from aiohttp import web

from tfdepthviz.data import samples

FILE = pathlib.Path(__file__).with_name("page.html")


@functools.cache
def _page():
    """(contents, headers)."""
    text = FILE.read_text("utf-8")
    # Scripts are allowed by their hash: injected ones cannot run.
    hashes = [
        hashlib.sha256(script.encode()).digest()
        for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    ]
    scripts = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes]
    policy = (
        f"default-src 'none'; script-src {' '.join(scripts)}; "
        "style-src 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


def sample():
    """aiohttp response with a photograph to try."""
    contents = pathlib.Path(samples.files("validation").images[0]).read_bytes()
    return web.Response(body=contents, content_type="image/jpeg")


def response():
    """aiohttp response with the page."""
    text, headers = _page()
    return web.Response(text=text, content_type="text/html", headers=headers)
