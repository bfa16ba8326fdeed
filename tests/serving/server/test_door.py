"""The door of the embedded server: what it needs, and who goes through it."""

import pathlib
import re
import subprocess
import sys

import commands
import pytest

from tfdepthviz.serving import server
from tfdepthviz.utils.errors import InputError
from trainers import serve


def test_without_the_extra():
    code = (
        "import sys\n"
        "for name in ('aiohttp', 'grpc', 'tensorflow_serving', 'tensorflow'):\n"
        "    sys.modules[name] = None\n"
        "from tfdepthviz.serving import server\n"
        "print(server.Options().limits == server.Limits())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_command_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, f"{server.__name__}.lifecycle", raising=False)
    monkeypatch.delattr(server, "lifecycle", raising=False)
    with pytest.raises(InputError, match="serve needs aiohttp, which the extra `serving` installs"):
        commands.run(serve, model_base_path="savedmodels/tiny", port=0, rest_api_port=0)


def test_nothing_imports_the_inside():
    root = pathlib.Path(server.__file__).parents[3]
    inside = re.compile(r"serving\.server\.\w|serving\.server import (?!Limits|Options)")
    for folder in ("tfdepthviz", "trainers", "benchmarks"):
        for path in (root / folder).rglob("*.py"):
            if path.parent != pathlib.Path(server.__file__).parent:
                assert not inside.search(path.read_text("utf-8")), path


def test_size():
    """It is for laptops and tests: see docs/serving.md."""
    folder = pathlib.Path(server.__file__).parent
    assert sum(len(path.read_text("utf-8").splitlines()) for path in folder.glob("*.py")) <= 2000
