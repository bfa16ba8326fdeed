"""Scripts run as `python FILE` runs them, but in this process, which has loaded TensorFlow."""

import contextlib
import io
import pathlib
import runpy
import sys
import traceback

from trainers.cli import flags


def ran(path, arguments):
    """Runs a script; its flags are undefined again afterwards.

    Modules next to it are forgotten, too, unless they are a package: other folders have some of the
    same names.

    Args:
      path: of the file.
      arguments: list of words.
    Returns:
      exit code (-1: an exception that the script did not catch), standard output, standard error.
    """
    out, err = io.StringIO(), io.StringIO()
    argv, search, known = sys.argv, list(sys.path), set(flags.FLAGS)
    folder = pathlib.Path(path).resolve().parent
    package = (folder / "__init__.py").exists()
    sys.argv = [str(path), *arguments]
    if not package:
        sys.path.insert(0, str(folder))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(str(path), run_name="__main__")
            code = 0
        except SystemExit as stopped:
            code = stopped.code or 0
        except BaseException:
            traceback.print_exc()
            code = -1
        finally:
            sys.argv, sys.path[:] = argv, search
            for name in set(flags.FLAGS) - known:
                delattr(flags.FLAGS, name)
            flags.FLAGS.unparse_flags()
            for name, module in [] if package else list(sys.modules.items()):
                if folder in pathlib.Path(getattr(module, "__file__", None) or "/").parents:
                    sys.modules.pop(name)
    if isinstance(code, str):  # as the interpreter does
        code, err = 1, io.StringIO(err.getvalue() + code + "\n")
    return code, out.getvalue(), err.getvalue()
