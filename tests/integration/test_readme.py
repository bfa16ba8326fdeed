"""Code and command of the README, run as printed."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def section(heading):
    page = (ROOT / "README.md").read_text("utf-8")
    (text,) = re.findall(rf"^## {heading}\n(.*?)^## ", page, flags=re.S | re.M)
    return text


def test_your_own_network(tmp_path):
    page = section("Explain your own network")
    code = re.search(r"```python\n(.*?)```", page, flags=re.S).group(1)
    assert len([line for line in code.splitlines() if line]) <= 10
    (tmp_path / "my_net.py").write_text(code)
    command = re.search(r"^    (python -m .*?[^\\])$", page, flags=re.S | re.M).group(1)
    words = shlex.split(command.replace("\\\n", ""))
    assert words[0] == "python" and words[2] == "trainers.train_mask"
    ran = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "runs/my_net/mask_net.keras").is_file()
