"""Imports go one way; read from the sources, so that nothing has to be imported for it.

    python tests/test_import_directions.py

lists what goes the wrong way and exits with 1 if there is anything.
"""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

KERAS_ONLY = ("keras", "numpy", "h5py")
# Part of the tree -> what its files may import besides the standard library. The first part that
# holds a file decides; a file that no part holds is bound by NEVER alone.
ALLOWED = {
    "tfdepthviz.models": (
        *KERAS_ONLY,
        "tfdepthviz.models",
        "tfdepthviz.errors",
        "tfdepthviz.imagenet",
        "tfdepthviz.depth_kinds",
        "tfdepthviz.masks",
    ),
    "tfdepthviz.depth_kinds": (*KERAS_ONLY, "tfdepthviz.errors", "tfdepthviz.metrics"),
    "tfdepthviz.losses": (
        *KERAS_ONLY,
        "tfdepthviz.errors",
        "tfdepthviz.masks",
        "tfdepthviz.metrics",
    ),
    "tfdepthviz.metrics": (*KERAS_ONLY, "tfdepthviz.errors"),
    "tfdepthviz.masks": (*KERAS_ONLY, "tfdepthviz.errors"),
    "tfdepthviz.data": (
        *("tensorflow", "numpy", "scipy", "PIL", "h5py", "tensorflow_datasets"),
        *("tfdepthviz.data", "tfdepthviz.errors", "tfdepthviz.imagenet"),
    ),
    "tfdepthviz.serving.client": ("numpy", "tfdepthviz.serving.transport"),
    "tfdepthviz.serving.transport": (),
}
# Imported when it is asked for: TensorFlow's own checkpoints are read by TensorFlow, and the only
# gradient that a target is checked for is the one that TensorFlow takes. Where TensorFlow is the
# backend, its fused operation and its order of work are used.
EXCEPTIONS = {
    ("tfdepthviz.models.batch_norm", "tensorflow"),
    ("tfdepthviz.models.resized_conv", "tensorflow"),
    ("tfdepthviz.models.porting", "tensorflow"),
    ("tfdepthviz.models.target", "tensorflow"),
    # A process of its own, for tests against what the true PyTorch writes.
    ("tests.true_torch", "torch"),
}
NEVER = {
    "tfdepthviz": ("trainers", "absl.flags", "absl.app", "tests", "benchmarks", "torch"),
    "trainers": ("tests", "benchmarks", "torch"),
    "tests": ("torch",),
    "benchmarks": ("torch",),
}


def wrong_imports(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """One line for each import in the source of `module` that goes the wrong way."""
    allowed = next((names for part, names in ALLOWED.items() if _within(module, part)), None)
    never = NEVER.get(module.split(".")[0], ())
    wrong = []
    for line, names in _imports(module, ast.parse(source), is_package):
        # `from a import b` names the module a or the module a.b; one of them allowed will do.
        if (module, names[0]) in EXCEPTIONS:
            continue
        elif any(_within(name, part) for name in names for part in never):
            wrong.append(f"{module}, line {line}: must not import {names[-1]}")
        elif allowed is None:
            continue
        elif not any(_permitted(name, allowed) for name in names):
            wrong.append(f"{module}, line {line}: imports {names[-1]}, may import {allowed}")
    return wrong


def _imports(module, tree, is_package):
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, [alias.name]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                yield node.lineno, [base, f"{base}.{alias.name}"]


def _within(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def _permitted(name: str, allowed) -> bool:
    in_library = name.split(".")[0] in sys.stdlib_module_names
    return in_library or any(_within(name, part) for part in allowed)


def _wrong_in_tree() -> list[str]:
    wrong, files = [], 0
    for top in NEVER:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            module = ".".join(parts[:-1] if is_package else parts)
            wrong += wrong_imports(module, path.read_text("utf-8"), is_package=is_package)
            files += 1
    if not files:
        wrong.append(f"{ROOT}: holds no Python files to check")
    return wrong


def test_imports_of_the_tree():
    assert _wrong_in_tree() == []


def test_finds_what_goes_the_wrong_way():
    for module, statement in [
        ("tfdepthviz.masks", "import tensorflow as tf"),
        ("tfdepthviz.masks", "def f():\n    from tfdepthviz import data"),
        ("tfdepthviz.losses", "from tfdepthviz.models import blocks"),
        ("tfdepthviz.losses", "from .models import blocks"),
        ("tfdepthviz.models.resnet", "from ..data import nyu"),
        ("tfdepthviz.data.nyu", "from tfdepthviz import models"),
        ("tfdepthviz.data.nyu", "import keras"),
        ("tfdepthviz.serving.client", "import tensorflow"),
        ("tfdepthviz.evaluation", "from absl import flags"),
        ("tfdepthviz.evaluation", "import trainers.demo"),
        ("trainers.demo", "import torch.nn"),
        ("tests.models.test_porting", "import torch"),
    ]:
        assert len(wrong_imports(module, statement)) == 1, (module, statement)


def test_allows_what_goes_the_right_way():
    for module, statement in [
        ("tfdepthviz.masks", "import functools\nfrom keras import ops\nimport numpy as np"),
        ("tfdepthviz.models.porting", "import h5py\nfrom tfdepthviz.errors import InputError"),
        ("tfdepthviz.models.porting", "from . import blocks\nfrom ..errors import InputError"),
        ("tfdepthviz.data.nyu", "from PIL import Image\nfrom tfdepthviz.data import examples"),
        ("tfdepthviz.evaluation", "import tensorflow\nfrom tfdepthviz import losses, metrics"),
        ("trainers.demo", "from absl import app, flags\nfrom tfdepthviz import models"),
        ("tests.true_torch", "import torch"),
    ]:
        assert wrong_imports(module, statement) == []
    assert wrong_imports("tfdepthviz.models", "from .blocks import x", is_package=True) == []


if __name__ == "__main__":
    found = _wrong_in_tree()
    print("\n".join(found) or "imports go one way")
    sys.exit(bool(found))
