"""Objects that training scripts save next to weights, and that are left aside."""

CORES = ("numpy.core.multiarray", "numpy._core.multiarray")
PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
BUILTINS = ("dict", "list", "set", "int", "float", "str")
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
# Classes and functions whose objects say nothing about a network. None is imported or called.
NAMES = (
    *("argparse.Namespace", "torch.device", "numpy.dtype", "numpy.ndarray", "_codecs.encode"),
    *(f"{core}.{name}" for core in CORES for name in ("scalar", "_reconstruct")),
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in PATHS),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in BUILTINS),
    *(f"torch.{name}" for name in DTYPES),
)


class Aside:
    """An object that is left aside, whatever it is made of."""

    def __init__(self, *_):
        pass
