"""benchmarks/speed.py at a tiny size; no time is asserted."""

import json
import math
import pathlib
import subprocess
import sys

import pytest

from tfdepthviz.models import build_mask_net

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_rows(tmp_path):
    output = tmp_path / "speed.json"
    line = [sys.executable, "benchmarks/speed.py", "--height=32", "--width=64", "--batch_size=2"]
    line += ["--repetitions=1", "--precision=mixed_bfloat16", f"--output={output}"]
    line += [f"--work={work}" for work in ("forward of G", "evaluation", "served call")]
    ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    product, forward, evaluation, served = json.loads(output.read_text())["rows"]
    assert product["work"] == "matrix product" and product["share_of_peak"] == 1.0
    assert forward["work"] == "forward of G" and forward["times_as_fast"] == 1.0
    assert [row["batch_size"] for row in (product, forward, evaluation, served)] == [2] * 4
    # N runs eleven times to rate a batch and twice to serve it, G once.
    of_g = forward["multiply_adds_a_batch"]
    of_n = (served["multiply_adds_a_batch"] - of_g) / 2
    assert evaluation["multiply_adds_a_batch"] == 11 * of_n + of_g
    # With its first up-projection computed on the small map, G does less than where all
    # convolutions are done at the size of their output, and most of it all the same.
    net = build_mask_net("compact", (32, 64, 3))
    direct = 2 * sum(
        math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        for layer in net.layers
        if hasattr(layer, "kernel")
    )
    assert direct / 2 < forward["multiply_adds_a_batch"] < direct
