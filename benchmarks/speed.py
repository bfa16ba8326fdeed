"""Seconds per image of forward passes and training steps, and as a share of the machine's peak.

    python benchmarks/speed.py                                   the compact pair, about a minute
    python benchmarks/speed.py --depth_net=hu_resnet50 --mask_net=drn_d_22 --batch_size=2
    python benchmarks/speed.py --height=352 --width=1216 --batch_size=1 --batch_size=2
    python benchmarks/speed.py --precision=mixed_bfloat16 --xla
    python benchmarks/speed.py --compare=main                    another commit, in turns

Prints a table and writes it, with machine and versions, to --output as JSON. Repetitions of all
works and of both checkouts take turns, so that ratios hold on a noisy machine: the median counts,
and of ratios the median over the turns. `of peak` is the rate of multiply-adds as a share of the
rate of one large matrix product, measured in the same turns. Multiply-adds are those of
convolutions; memory is the most that was resident during the work, all that the process holds
included.
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from absl import app, flags
from common import record

from tfdepthviz.models import DEPTH_NETS, MASK_NETS

ROOFLINE = "matrix product"
WORKS = (
    *("forward of N", "forward of folded N", "forward of G"),
    *("training step of N", "training step of G", "evaluation", "served call"),
)
ROOT = pathlib.Path(__file__).resolve().parents[1]

DEPTH_NET = flags.DEFINE_enum("depth_net", "compact", list(DEPTH_NETS), "N.")
MASK_NET = flags.DEFINE_enum("mask_net", "compact", list(MASK_NETS), "G.")
HEIGHT = flags.DEFINE_integer("height", 228, "Rows of the image.", lower_bound=32)
WIDTH = flags.DEFINE_integer("width", 304, "Columns of the image.", lower_bound=32)
BATCH_SIZE = flags.DEFINE_multi_integer(
    "batch_size", 8, "Images a batch; repeat for several.", lower_bound=1
)
PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_bfloat16"], "Of the networks."
)
XLA = flags.DEFINE_bool("xla", False, "Have XLA compile forward passes and training steps.")
WORK = flags.DEFINE_multi_enum("work", WORKS, WORKS, "What to measure; repeat for several.")
COMPARE = flags.DEFINE_string("compare", None, "Commit of this repository to take turns with.")
REPETITIONS = flags.DEFINE_integer("repetitions", 5, "Timed runs of each work.", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/speed.json", "Where to write the JSON.")


class Worker:
    """One checkout in a process of its own."""

    def __init__(self, folder, config):
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "benchmarks" / "speed_works" / "worker.py", json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(folder)},
        )
        self.multiply_adds = self._answer()

    def run(self, work):
        print(work, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"error: the measured process ended with exit code {self.process.wait()}")
        return json.loads(line)


@contextlib.contextmanager
def workers(config):
    """Name of a checkout -> Worker, the one to compare with first."""
    with tempfile.TemporaryDirectory() as folder:
        started, other = {}, pathlib.Path(folder) / "compared"
        git = ["git", "-C", ROOT, "worktree"]
        try:
            if COMPARE.value:
                add = [*git, "add", "--quiet", "--detach", other, COMPARE.value]
                if subprocess.run(add).returncode:
                    sys.exit(f"error: --compare={COMPARE.value}: expected a commit to check out")
                started[COMPARE.value] = Worker(other, config)
            started["this checkout"] = Worker(ROOT, config)
            yield started
        finally:
            for worker in started.values():
                worker.process.stdin.close()
                worker.process.wait()
            if other.exists():
                subprocess.run([*git, "remove", "--force", other], check=True)


def measure(started, works):
    """checkout -> work -> list of what each run answered; checkouts and works take turns."""
    measured = {name: {work: [] for work in works} for name in started}
    for turn in range(REPETITIONS.value + 1):
        for work in works:
            for name, worker in started.items():
                answer = worker.run(work)
                if turn:  # the first run traces and compiles
                    measured[name][work].append(answer)
    return measured


def table(measured, multiply_adds, batch_size):
    """Rows of figures, one for each checkout and work."""
    rows, base = [], next(iter(measured.values()))
    for name, works in measured.items():
        peak = multiply_adds[name][ROOFLINE] / _median(works[ROOFLINE])
        for work in works:
            seconds = _median(works[work])
            pairs = zip(base[work], works[work], strict=True)
            rows.append(
                {
                    "checkout": name,
                    "batch_size": batch_size,
                    "work": work,
                    "seconds_an_image": seconds / batch_size,
                    "multiply_adds_a_batch": multiply_adds[name][work],
                    "multiply_adds_a_second": multiply_adds[name][work] / seconds,
                    "share_of_peak": multiply_adds[name][work] / seconds / peak,
                    "peak_bytes": max(run["peak_bytes"] or 0 for run in works[work]),
                    "times_as_fast": statistics.median(
                        b["seconds"] / r["seconds"] for b, r in pairs
                    ),
                }
            )
    return rows


def _median(runs):
    return statistics.median(run["seconds"] for run in runs)


def show(rows):
    print(
        f"{'checkout':14s} {'work':19s} {'batch':>5s} {'ms/image':>9s} {'images/s':>9s} "
        f"{'10^9 m.-adds':>12s} "
        f"{'of peak':>8s} {'GB':>5s} {'ratio':>6s}"
    )
    for row in rows:
        seconds = row["seconds_an_image"]
        print(
            f"{row['checkout'][:14]:14s} {row['work']:19s} {row['batch_size']:5d} "
            f"{1000 * seconds:9.1f} {1 / seconds:9.2f} {row['multiply_adds_a_batch'] / 1e9:12.1f} "
            f"{row['share_of_peak']:8.0%} {row['peak_bytes'] / 1e9:5.1f} "
            f"{row['times_as_fast']:6.2f}"
        )


def main(_):
    works = [ROOFLINE, *dict.fromkeys(WORK.value)]
    rows, runs = [], {}
    for batch_size in BATCH_SIZE.value:
        config = {
            "depth_net": DEPTH_NET.value,
            "mask_net": MASK_NET.value,
            "height": HEIGHT.value,
            "width": WIDTH.value,
            "batch_size": batch_size,
            "precision": PRECISION.value,
            "xla": XLA.value,
            "works": works,
        }
        with workers(config) as started:
            measured = runs[batch_size] = measure(started, works)
            counts = {name: worker.multiply_adds for name, worker in started.items()}
        rows += table(measured, counts, batch_size)
    show(rows)
    figures = {
        "rows": rows,
        "runs": runs,
    }
    record.write(OUTPUT.value, figures, ["tensorflow", "keras"])


if __name__ == "__main__":
    app.run(main)
