"""What is installed: the wheel's content, and that its requirements are those the code has."""

import ast
import configparser
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("tfdepthviz", "trainers")
DISTRIBUTIONS = {"PIL": "pillow", "absl": "absl-py"}
# Run as a program of its own, or needed by what is imported: see the reasons in setup.cfg.
NOT_IMPORTED = {"tensorboard"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names of the files in a wheel built from a copy of the tree, tests included."""
    copy = tmp_path_factory.mktemp("source")
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=unwanted)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    ran = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    (path,) = copy.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_wheel_holds_all_of_the_packages_and_nothing_else(wheel):
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    installed = {name for name in wheel if ".dist-info/" not in name}
    assert installed == expected


def test_wheel_holds_frames_and_licences(wheel):
    frames = [name for name in wheel if re.match(r"tfdepthviz/data/samples/.*\.(jpg|png)$", name)]
    assert len(frames) == 400
    for name in ("LICENSE", "NOTICE"):
        assert any(re.search(rf"\.dist-info/(licenses/)?{name}$", path) for path in wheel)


def test_requirements_are_what_is_imported():
    imported = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    imported.add(node.module.split(".")[0])
    imported -= {*PACKAGES, *sys.stdlib_module_names}
    imported = {DISTRIBUTIONS.get(name, name) for name in imported}
    assert imported | NOT_IMPORTED == set(_requirements())


def test_every_requirement_has_bounds():
    for name, bounds in _requirements().items():
        assert ">=" in bounds and "<" in bounds, name


def _requirements():
    """Distribution -> bounds, of install_requires."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    lines = config["options"]["install_requires"].split("\n")
    return dict(re.match(r"([\w-]+)\s*(.*)", line).groups() for line in lines if line.strip())
