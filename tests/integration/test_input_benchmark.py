"""benchmarks/input_pipeline.py at a tiny size; no time is asserted."""

import json
import pathlib

import pytest
import scripts

pytestmark = pytest.mark.slow

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "benchmarks/input_pipeline.py"


def test_rows_and_cores(tmp_path):
    output = tmp_path / "input.json"
    line = ["--height=32", "--width=64", "--frames=4", "--batch_size=2", "--steps=1"]
    code, _, err = scripts.ran(SCRIPT, [*line, f"--output={output}"])
    assert code == 0, err
    record = json.loads(output.read_text())
    parts = [row["part"] for row in record["rows"] if row["source"] == "JPG and PNG"]
    assert parts[:3] == ["read and decode", "resize", "random view"]
    assert {"read cache, memory", "read cache, disk", "batch"} < set(parts)
    assert [row["part"] for row in record["rows"]][-2:] == ["step alone", "step, fed"]
    assert all(row["cpu_ms"] > 0 and row["wall_ms"] > 0 for row in record["rows"])
    sources = {row["source"] for row in record["rows"][:-2]}
    assert sources == {"JPG and PNG", "PNG and PNG", "HDF5"}
    # Three rates of a GPU times an epoch of each kind and source.
    assert len(record["feeding"]) == 18
    first = record["feeding"][0]
    (row,) = (r for r in record["rows"] if all(r[k] == first[k] for k in ("source", "part")))
    assert 1000 * first["cores"] / row["cpu_ms"] == pytest.approx(first["assumed_images_a_second"])
