"""Imports go one way; read from the sources, so that nothing has to be imported for it.

    python tests/test_import_directions.py

lists what goes the wrong way and exits with 1 if there is anything.
"""

import ast
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Levels of rooms from the bottom up. A room is one or more parts of the tree; it uses the rooms of
# lower levels, and itself.
LEVELS = (
    [("tfdepthviz.utils",)],
    [
        ("tfdepthviz.losses", "tfdepthviz.metrics", "tfdepthviz.masks", "tfdepthviz.removal"),
        ("tfdepthviz.data",),
    ],
    [("tfdepthviz.models",), ("tfdepthviz.serving",)],
    [("tfdepthviz.training",), ("tfdepthviz.evaluation",)],
    [("tfdepthviz.reports",), ("tfdepthviz.export",)],
    # The package itself hands on names of its rooms.
    [("tfdepthviz", "tfdepthviz.mask_training"), ("trainers.engine",)],
    [("trainers.cli",)],
    [("trainers",)],
)
COMMANDS = "trainers"
# Networks know nothing of data sets, though theirs is the higher level.
APART = {"tfdepthviz.models": "tfdepthviz.data"}
# Rooms that run on every backend of Keras. What is imported inside of a function is asked for only
# where it is needed: TensorFlow where it is the backend, keras-hub for a network of its own.
KERAS_ROOMS = (
    *("tfdepthviz.masks", "tfdepthviz.removal", "tfdepthviz.metrics", "tfdepthviz.losses"),
    "tfdepthviz.models",
)
KERAS_ONLY = ("keras", "numpy", "h5py")
# The client is for those who have neither TensorFlow nor this package's other rooms.
CLIENT = {
    "tfdepthviz.serving.client": (
        *("numpy", "tfdepthviz.serving.transport", "tfdepthviz.serving.calls"),
        "tfdepthviz.serving.answers",
    ),
    "tfdepthviz.serving.calls": (
        *("numpy", "tfdepthviz.serving.answers", "tfdepthviz.utils.constants"),
    ),
    "tfdepthviz.serving.answers": ("numpy", "tfdepthviz.utils.shown"),
    "tfdepthviz.utils.shown": ("numpy",),
    "tfdepthviz.serving.transport": (),
}
NEVER = {
    # Exports networks of PyTorch.
    "tfdepthviz.models.conversion.torch_network": (
        *("trainers", "absl.flags", "absl.app", "tests", "benchmarks"),
    ),
    "tfdepthviz": ("trainers", "absl.flags", "absl.app", "tests", "benchmarks", "torch"),
    "trainers": ("tests", "benchmarks", "torch"),
    # Helpers may be programs of their own, which compare with the true PyTorch.
    "tests.helpers": (),
    "tests": ("torch",),
    "benchmarks": ("torch",),
}


def wrong_imports(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """One line for each import in the source of `module` that goes the wrong way."""
    wrong = []
    for line, names, at_top in _imports(module, ast.parse(source), is_package):
        reason = _reason(module, names, at_top)
        if reason:
            wrong.append(f"{module}, line {line}: must not import {names[-1]}: {reason}")
    return wrong


def _reason(module, names, at_top):
    """Why `module` must not import this; None if it may.

    Args:
      names: what one import may mean; `from a import b` names the module a or the module a.b.
      at_top: whether it stands outside of every function.
    """
    never = next((n for part, n in NEVER.items() if _within(module, part)), ())
    if any(_within(name, part) for name in names for part in never):
        return f"{', '.join(never)} are out of bounds"
    client = next((allowed for part, allowed in CLIENT.items() if _within(module, part)), None)
    if client is not None:
        return None if _permitted(names, client) else "the client does without"
    own, other = _part(module), _part(names[-1]) or _part(names[0])
    if own == other == COMMANDS:
        return "a command imports no command"
    if other is not None:
        if own is not None and (other in _room(own) or _level(own) > _level(other)):
            return f"{own} and {other} stay apart" if APART.get(own) == other else None
        return None if own is None else f"{own} does not stand above {other}"
    if own in KERAS_ROOMS and at_top and not _permitted(names, KERAS_ONLY):
        return f"{own} runs on every backend of Keras"
    return None


def _imports(module, tree, is_package):
    """(line, names, whether outside of every function) of each import."""
    package = module if is_package else module.rpartition(".")[0]
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    inside = {node for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, [alias.name], node not in inside
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                yield node.lineno, [base, f"{base}.{alias.name}"], node not in inside


def _part(module):
    """The part of the tree that a module lies in: the longest that fits; None outside of all."""
    parts = [part for level in LEVELS for room in level for part in room]
    return max((part for part in parts if _within(module, part)), key=len, default=None)


def _room(part):
    return next(room for level in LEVELS for room in level if part in room)


def _level(part):
    return next(number for number, level in enumerate(LEVELS) if _room(part) in level)


def _within(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def _permitted(names, allowed) -> bool:
    in_library = names[0].split(".")[0] in sys.stdlib_module_names
    return in_library or any(_within(name, part) for name in names for part in allowed)


def _wrong_in_tree() -> list[str]:
    wrong, files = [], 0
    for top in sorted({part.split(".")[0] for part in NEVER}):
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


def test_wrong_directions():
    for module, statement in [
        ("tfdepthviz.masks", "import tensorflow as tf"),
        ("tfdepthviz.masks", "def f():\n    from tfdepthviz import data"),
        ("tfdepthviz.losses", "from tfdepthviz.models import blocks"),
        ("tfdepthviz.losses", "from .models import blocks"),
        ("tfdepthviz.models.resnet", "from ..data import nyu"),
        ("tfdepthviz.models.resnet", "import tensorflow"),
        ("tfdepthviz.models.resnet", "import scipy"),
        ("tfdepthviz.data.nyu", "from tfdepthviz import models"),
        ("tfdepthviz.training.mask_trainer", "from tfdepthviz.evaluation import evaluate"),
        ("tfdepthviz.training.mask_trainer", "from tfdepthviz.reports import strips"),
        ("tfdepthviz.utils.files", "from tfdepthviz import InputError"),
        ("tfdepthviz.serving.client", "import tensorflow"),
        ("tfdepthviz.evaluation", "from absl import flags"),
        ("tfdepthviz.evaluation", "import trainers.demo"),
        ("trainers.engine.fit", "from trainers import train_mask"),
        ("trainers.demo", "from trainers import train_mask"),
        ("trainers.demo", "import torch.nn"),
        ("tests.models.test_porting", "import torch"),
    ]:
        assert len(wrong_imports(module, statement)) == 1, (module, statement)


def test_right_directions():
    for module, statement in [
        ("tfdepthviz.masks", "import functools\nfrom keras import ops\nimport numpy as np"),
        ("tfdepthviz.models.porting", "import h5py"),
        ("tfdepthviz.models.porting", "from tfdepthviz.utils.errors import InputError"),
        ("tfdepthviz.models.resnet", "from . import blocks\nfrom ..utils.errors import InputError"),
        ("tfdepthviz.models.target", "def f():\n    import tensorflow as tf"),
        ("tfdepthviz.data.nyu", "from PIL import Image\nfrom tfdepthviz.data import examples"),
        ("tfdepthviz.evaluation", "import tensorflow\nfrom tfdepthviz import losses, metrics"),
        ("trainers.demo", "from absl import app, flags\nfrom tfdepthviz import models"),
        ("tests.helpers.true_torch", "import torch"),
    ]:
        assert wrong_imports(module, statement) == []
    assert wrong_imports("tfdepthviz.models", "from .blocks import x", is_package=True) == []


if __name__ == "__main__":
    wrong = _wrong_in_tree()
    print("\n".join(wrong) or "imports go one way")
    sys.exit(bool(wrong))
