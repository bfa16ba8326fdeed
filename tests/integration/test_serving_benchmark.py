"""benchmarks/serving.py as a user runs it, on a tiny model: its figures are consistent."""

import json
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]


def benchmark(*arguments):
    command = [sys.executable, "benchmarks/serving.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def ran(tiny_model, tmp_path_factory):
    """(standard output, record) of one run."""
    output = tmp_path_factory.mktemp("benchmark") / "serving.json"
    flags = ("--quick", f"--savedmodel={tiny_model}", "--memory_minutes=0.02")
    ran = benchmark(*flags, f"--output={output}")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, json.loads(output.read_text())


def test_rows_of_table_and_record(ran):
    stdout, record = ran
    kinds = [(r["clients"], r["api"]) for r in record["rows"]]
    assert kinds == [(n, api) for n in (1, 4) for api in ("REST", "gRPC")]
    printed = [line.split()[:2] for line in stdout.splitlines() if line.strip()[:2] in ("1 ", "4 ")]
    assert printed == [[str(n), api] for n, api in kinds]


def test_rates_and_ratios(ran):
    for row in ran[1]["rows"]:
        assert row["seconds"] >= 0.3 and row["bare_seconds"] >= 0.3
        assert row["images_per_second"] == pytest.approx(row["images"] / row["seconds"])
        bare = row["bare_images"] / row["bare_seconds"]
        assert row["bare_images_per_second"] == pytest.approx(bare)
        # One round, so the median of the ratios is the ratio.
        assert row["ratio"] == pytest.approx(row["images_per_second"] / bare)


def test_latencies_follow_littles_law(ran):
    """Little's law: requests under way = rate x latency, and here each client has one."""
    for row in ran[1]["rows"]:
        p50, p95, p99 = (row["latency_seconds"][p] for p in ("50", "95", "99"))
        assert 0 < p50 <= p95 <= p99
        # At least half of the requests took p50, and one client's cannot overlap.
        longest = row["clients"] * (row["seconds"] + p99)
        assert row["images"] / 2 * p50 <= longest


def test_first_lap_does_not_count(ran):
    for row in ran[1]["rows"]:
        assert row["requests"] - row["images"] >= row["clients"]
        assert 1 <= row["bare_threads"] <= row["clients"]


def test_sizes_and_memory(ran):
    record = ran[1]
    sizes = record["decoding"]["mask_bytes"]
    # Base64 takes four bytes for three.
    contents = 4 / 3 * (sizes["gRPC"]["request_bytes"] - 200)
    assert contents < sizes["REST"]["request_bytes"] < contents + 800
    memory = record["memory"]
    resident = [mib for _, mib in memory["series"]]
    assert memory["requests"] >= 16 and len(resident) > 1
    assert 50 < min(resident) <= memory["last_quarter_mib"] <= memory["peak_mib"]
