"""Scripts run as `python FILE` runs them, but in this process, which has loaded TensorFlow."""

import contextlib
import io
import pathlib
import runpy
import sys
import traceback

from trainers.cli import flags


@contextlib.contextmanager
def undone(folder, forget=True):
    """Undefines afterwards the flags that are defined inside, and resets the search path.

    Args:
      folder: of the script; modules in it can be imported inside.
      forget: whether its modules are forgotten, too: other folders have some of the same names.
    """
    search, known = list(sys.path), set(flags.FLAGS)
    if forget:
        sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = search
        for name in set(flags.FLAGS) - known:
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()
        for name, module in list(sys.modules.items()) if forget else []:
            if folder in pathlib.Path(getattr(module, "__file__", None) or "/").parents:
                sys.modules.pop(name)


def ran(path, arguments):
    """Runs a script; its flags are undefined again afterwards.

    Modules next to it are forgotten, too, unless they are a package.

    Args:
      path: of the file.
      arguments: list of words.
    Returns:
      exit code (-1: an exception that the script did not catch), standard output, standard error.
    """
    out, err = io.StringIO(), io.StringIO()
    folder = pathlib.Path(path).resolve().parent
    package = (folder / "__init__.py").exists()
    argv = sys.argv
    sys.argv = [str(path), *arguments]
    with (
        undone(folder, forget=not package),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(str(path), run_name="__main__")
            code = 0
        except SystemExit as stopped:
            code = stopped.code or 0
        except BaseException:
            traceback.print_exc()
            code = -1
        finally:
            sys.argv = argv
    if isinstance(code, str):  # as the interpreter does
        code, err = 1, io.StringIO(err.getvalue() + code + "\n")
    return code, out.getvalue(), err.getvalue()
