"""Packaging: the wheel's content, and requirements that match the code's imports."""

import ast
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("tfdepthviz", "trainers")
DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl-py",
    "google": "protobuf",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "tensorflow_serving": "tensorflow-serving-api",
}
# Folder whose modules may import an extra: nothing outside imports them but when called.
EXTRA_FOLDERS = {"serving": ROOT / "tfdepthviz/serving/server"}
# Run as a program of its own, or needed by what is imported: see the reasons in setup.cfg.
NOT_IMPORTED = {"tensorboard"}


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory):
    """A wheel built from a copy of the tree, tests included."""
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
    return path


@pytest.fixture(scope="module")
def wheel(wheel_file):
    """Names of the files in the wheel."""
    with zipfile.ZipFile(wheel_file) as archive:
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


def test_console_command_of_the_installed_wheel(wheel_file, tmp_path):
    """From a folder that holds neither the clone nor the package."""
    installed = tmp_path / "installed"
    install = ["install", "--no-deps", "--no-index", "--quiet", f"--target={installed}"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *install, wheel_file]
    subprocess.run(pip, check=True)
    for words, code, says in [
        ([], 0, "explain            Draws which pixels"),
        (["explain", "none.jpg"], 1, "error: none.jpg: no such file or folder"),
    ]:
        ran = subprocess.run(
            [installed / "bin/tfdepthviz", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
        )
        assert ran.returncode == code and says in ran.stdout + ran.stderr, ran


def test_requirements_are_what_is_imported():
    always, when_called = _imported()
    required, extras = set(_requirements()), _extras()
    assert always <= required
    assert required <= always | when_called | NOT_IMPORTED
    # What only some commands need may be an extra, if it is imported where it is used.
    assert when_called - required <= extras


def test_tests_have_what_the_extras_bring():
    config = _config()["options.extras_require"]
    for extra in ("serving", "targets", "tfds"):
        required = _read(config[extra]).items()
        assert required - {("importlib_resources", ">=6, <8")} <= _read(config["test"]).items()


def test_every_requirement_has_bounds():
    for name, bounds in _requirements().items():
        assert ">=" in bounds and "<" in bounds, name


def _imported():
    """Distributions imported by modules themselves, and those imported inside of functions."""
    always, when_called = set(), set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            inside = {node for function in functions for node in ast.walk(function)}
            if path.parent in EXTRA_FOLDERS.values():
                inside = set(ast.walk(tree))
            for node in ast.walk(tree):
                (when_called if node in inside else always).update(_names(node))
    return always, when_called


def _names(node):
    """Distributions that an import statement names, those at hand anyway left out."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and not node.level:
        modules = [node.module]
    else:
        modules = []
    tops = {module.split(".")[0] for module in modules} - {*PACKAGES, *sys.stdlib_module_names}
    return {DISTRIBUTIONS.get(top, top.replace("_", "-")) for top in tops}


def _requirements():
    """Distribution -> bounds, of install_requires."""
    return _read(_config()["options"]["install_requires"])


def _extras():
    """Distributions of all extras that users install."""
    extras = _config()["options.extras_require"]
    return {name for extra in extras if extra != "test" for name in _read(extras[extra])}


def _config():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", "utf-8")
    return config


def _read(lines):
    lines = [line for line in lines.split("\n") if line.strip()]
    return dict(re.match(r"([\w-]+)(?:\[[^]]*\])?\s*(.*)", line).groups() for line in lines)
