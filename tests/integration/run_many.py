"""Runs commands as `python -m` does, each in a fork of one process that has loaded TensorFlow.

    python run_many.py OUTPUT < a JSON list of [name of the command, flag, ...]

writes to OUTPUT a JSON list of [exit code, standard output, standard error].
"""

import json
import os
import pathlib
import runpy
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]


def forked(name, arguments):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os._exit(exit_code(ROOT / "trainers" / f"{name}.py", arguments))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return [code, *texts]


def exit_code(path, arguments):
    sys.argv = [str(path), *arguments]
    try:
        runpy.run_path(str(path), run_name="__main__")
        code = 0
    except SystemExit as stopped:
        code = stopped.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    import trainers.demo
    import trainers.evaluate  # noqa: F401

    results = [forked(name, arguments) for name, *arguments in json.load(sys.stdin)]
    pathlib.Path(sys.argv[1]).write_text(json.dumps(results))
