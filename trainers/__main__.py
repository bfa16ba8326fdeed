"""The list of commands, and the console command `tfdepthviz`, which runs each of them.

python -m trainers
tfdepthviz explain photos/
"""

import ast
import difflib
import runpy
import sys
from pathlib import Path

from trainers.cli import program

# In the order in which somebody new meets them.
COMMANDS = (
    *("explain", "explain_video", "explain_region", "demo", "check", "train_mask", "evaluate"),
    *("compare_masks", "audit_masks", "draw_masks", "optimize_mask", "sweep_sparsity"),
    *("export_savedmodel", "serve", "share_page", "train_depth", "train_evaluator"),
    *("train_region", "complete_depth", "port_weights"),
)


def main():
    """Runs the command that the first word of the command line names, or lists all."""
    name, words = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if name in ("-h", "--help", "help"):
        print(listing())
        return
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        start = program.CONSOLE if program.by_console() else "python -m trainers"
        sys.exit(f"error: {name}: no such command{hint} ({start} lists all)")
    program.load_tensorflow()
    sys.argv = [name, *words]
    runpy.run_module(f"trainers.{name}", run_name="__main__", alter_sys=True)


def listing():
    """A line for each command: its name, and the first line of its docstring."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {_summary(name)}" for name in COMMANDS]
    how = f"{program.command('COMMAND', '--help')} explains one and lists its flags."
    return "\n".join(["Which pixels does a depth network look at?", "", *lines, "", how])


def _summary(name):
    """The first line of a command's docstring, without loading the command."""
    source = Path(__file__).with_name(f"{name}.py").read_text("utf-8")
    return ast.get_docstring(ast.parse(source)).partition("\n")[0]


if __name__ == "__main__":
    main()
