"""Pages of the documentation: commands parse, Python runs as printed, links lead somewhere."""

import configparser
import csv
import importlib
import re

import commands
import keras
import numpy as np
import pages
import pytest

# Commands of version 0.1.0, which had other flags.
OLD = "docs/results_by_lambda.md"


@pytest.mark.parametrize("page", [page for page in pages.PAGES if page != OLD])
def test_commands_parse(page):
    for module, *words in pages.commands(pages.text(page)):
        options_class = importlib.import_module(module).Options
        received = []
        code, _, err = commands.parsed(received.append, options_class, [module, *words])
        assert (code, err, len(received)) == (0, "", 1), (module, words)


@pytest.mark.parametrize("page", pages.PAGES)
def test_scripts_targets_and_extras_exist(page):
    text = pages.text(page)
    config = configparser.ConfigParser()
    config.read(pages.ROOT / "setup.cfg")
    makefile = (pages.ROOT / "Makefile").read_text()
    for line in pages.command_lines(text) + re.findall(r"`(.+?)`", text):
        if match := re.match(r"python ((?:benchmarks|tests)/\S+\.py)(.*)", line):
            source = (pages.ROOT / match[1]).read_text("utf-8")
            source += "".join(map(_source, re.findall(r"^from (\S+) import", source, flags=re.M)))
            for name in re.findall(r" --(\w+)", match[2]):
                assert re.search(rf'"(--)?{name}"|^    {name}: ', source, flags=re.M), line
        if match := re.match(r"make (\w+)", line):
            assert re.search(rf"^{match[1]}:", makefile, flags=re.M), line
        if match := re.match(r'pip install -e "\.\[(\w+)\]"', line):
            assert match[1] in config["options.extras_require"], line


def _source(module):
    """The text of a module of trainers/ or benchmarks/, which may define flags; "" of others."""
    path = module.replace(".", "/") + ".py"
    files = (pages.ROOT / path, pages.ROOT / "benchmarks" / path)
    return "".join(file.read_text("utf-8") for file in files if file.is_file())


@pytest.mark.parametrize("page", pages.PAGES)
def test_links(page):
    folder = (pages.ROOT / page).parent
    missing = [link for link in pages.links(pages.text(page)) if not (folder / link).exists()]
    assert missing == []


def test_index_lists_every_page():
    listed = {f"docs/{link}" for link in pages.links(pages.text("docs/README.md"))}
    assert {page for page in pages.PAGES if page.startswith("docs/")} - listed == {"docs/README.md"}


def test_readme_is_short():
    assert len(pages.text("README.md").splitlines()) <= 120


def test_readme_python():
    (code,) = pages.python_blocks(pages.text("README.md"))
    names = {}
    exec(code, names)
    assert names["depth"].shape == (1, 114, 152, 1)
    # N(I) as a user would compute it, and the exact count of pixels.
    whole = names["depth_net"](names["image"])
    assert float(keras.ops.sum(names["mask"])) == round(0.2 * 228 * 304)
    assert 0 < float(keras.ops.mean(keras.ops.abs(names["depth"] - whole))) < 2


def test_ranking_python():
    (code,) = pages.python_blocks(pages.text("docs/ranking.md"))
    names = {"image": np.zeros((1, 228, 304, 3), np.float32)}
    exec(code, names)
    assert names["depth"].shape == (1, 114, 152, 1)


def test_client_in_python(tiny_server, monkeypatch):
    (code,) = pages.python_blocks(pages.text("docs/python.md"))
    code = code.replace("http://localhost:8501", tiny_server).replace("masks", "tiny")
    monkeypatch.chdir(pages.ROOT / "tfdepthviz/data/samples")
    names = {}
    exec(code.replace("photo.jpg", "tum_000.jpg"), names)
    assert names["answer"].mask.ndim == 2


@pytest.fixture
def run_page_command(tmp_path, monkeypatch):
    """Function that runs the only command of a page's text in tmp_path, and returns its output."""

    def run(page):
        ((name, *flags),) = pages.commands(page)
        monkeypatch.chdir(tmp_path)
        module = importlib.import_module(name)
        code, out, err = commands.parsed(module.run, module.Options, [name, *flags])
        assert code == 0, err
        return out

    return run


def test_own_network(run_page_command, few_samples, tmp_path):
    page = pages.text("docs/own_network.md")
    (code,) = pages.python_blocks(page)
    assert len([line for line in code.splitlines() if line]) <= 10
    (tmp_path / "my_net.py").write_text(code)
    run_page_command(page)
    assert (tmp_path / "runs/my_net/mask_net.keras").is_file()
    with open(tmp_path / "runs/my_net/history.csv", newline="") as file:
        assert all(float(row["val_rmse"]) > 0 for row in csv.DictReader(file))


def test_pytorch(run_page_command, tmp_path, monkeypatch):
    for package in ("torch", "onnxscript"):
        pytest.importorskip(
            package, reason="NO PYTORCH: the example of docs/pytorch.md did not run"
        )
    page = pages.text("docs/pytorch.md")
    (code,) = pages.python_blocks(page)
    (tmp_path / "my_net.py").write_text(code)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert "of PyTorch's autograd" in run_page_command(page)
    assert (tmp_path / "runs/my_net/mask_net.keras").is_file()
