"""Pages of the documentation: their commands, Python code and links."""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("savedmodels/*.md"),
        *ROOT.glob("tfdepthviz/**/*.md"),
    )
)


def text(page):
    """The text of a page.

    Args:
      page: its path in the repository, such as "docs/figures.md".
    """
    return (ROOT / page).read_text("utf-8")


def command_lines(markdown):
    """Every line of the indented blocks, with continued lines joined and variables filled in."""
    blocks = "\n".join(re.findall(r"^ {4}(.*)$", markdown, flags=re.M)).replace("\\\n", "")
    variables, lines = {}, []
    for line in blocks.splitlines():
        for name, value in variables.items():
            line = re.sub(rf"\${name}\b", value, line)
        if assigned := re.fullmatch(r'(\w+)="(.*)"', line):
            variables[assigned[1]] = assigned[2]
        else:
            lines.append(line)
    return lines


def commands(markdown):
    """[module, argument, ...] of every `python -m trainers.NAME` in the indented blocks."""
    lines = command_lines(markdown)
    return [shlex.split(line)[2:] for line in lines if line.startswith("python -m trainers.")]


def python_blocks(markdown):
    """The code of every ```python block."""
    return re.findall(r"^```python\n(.*?)^```", markdown, flags=re.S | re.M)


def links(markdown):
    """Targets of all links and pictures that are files of the repository."""
    prose = re.sub(r"^ {4}.*$", "", markdown, flags=re.M)
    targets = re.findall(r"\]\(([^)#\s]+)", prose)
    return [target for target in targets if "://" not in target]
