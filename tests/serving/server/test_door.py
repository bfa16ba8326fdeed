"""The door of the embedded server: its names, with and without the extra `serving`."""

import subprocess
import sys

import commands
import pytest

from tfdepthviz.serving import server
from tfdepthviz.utils.errors import InputError
from trainers import serve


def test_names():
    for name in server.__all__:
        assert getattr(server, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        server.nope  # noqa: B018


def test_options_without_the_extra():
    code = (
        "import sys\n"
        "for name in ('aiohttp', 'grpc', 'tensorflow_serving', 'tensorflow'):\n"
        "    sys.modules[name] = None\n"
        "from tfdepthviz.serving import server\n"
        "print(server.Options(models=None).limits == server.Limits())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_command_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, f"{server.__name__}.lifecycle", raising=False)
    with pytest.raises(InputError, match="serve needs aiohttp, which the extra `serving` installs"):
        commands.run(serve, model_base_path="savedmodels/tiny")
