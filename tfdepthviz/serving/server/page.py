"""The page at /: one self-contained file, with a policy that allows only its own scripts."""

import base64
import functools
import hashlib
import pathlib
import re

from aiohttp import web

FILE = pathlib.Path(__file__).with_name("page.html")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@functools.cache
def _page():
    """(contents, headers)."""
    text = FILE.read_text("utf-8")
    # Scripts are allowed by their hash: injected ones cannot run.
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _SCRIPT.findall(text)
    )
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts or chr(39) + 'none' + chr(39)}",
            "style-src 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return text, headers


def response():
    """aiohttp response with the page."""
    text, headers = _page()
    return web.Response(text=text, content_type="text/html", headers=headers)
