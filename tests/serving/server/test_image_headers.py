"""Sizes in image headers: files of every format, whole and cut, and the limit on pixels."""

import pytest
from image_files import FILES, SIZE, claiming

from tfdepthviz.serving.server import image_headers
from tfdepthviz.serving.server.image_headers import stated_size
from tfdepthviz.serving.server.status import StatusError


@pytest.mark.parametrize("name", FILES)
def test_stated_size(name):
    assert stated_size(FILES[name]) == SIZE
    for end in (*range(40), 100, 200):
        assert stated_size(FILES[name][:end]) in (None, SIZE)


def test_other_bytes():
    for contents in (b"", b"\x89PNG", b"\xff\xd8\xff", b"text", b"RIFF1234WEBPxxxx", b"BM"):
        assert stated_size(contents) is None


def test_limit():
    image_headers.check_files([claiming(10, 10), b"text", "text"], 100)
    with pytest.raises(StatusError, match="image of 60000x60000 pixels is too large: at most 100"):
        image_headers.check_files([claiming(60000, 60000)], 100)
    # The images of a request count together.
    with pytest.raises(StatusError, match="images of together 120 pixels or more are too large"):
        image_headers.check_files(iter([claiming(10, 6), claiming(6, 10), claiming(1, 1)]), 100)
