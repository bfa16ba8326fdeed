"""Soak test: trains for minutes under random kills, and compares with undisturbed training.

    python tests/helpers/soak.py --minutes=60

Each cycle trains twice with a new seed: once undisturbed, and once with signals at random moments,
starting the same command again after each signal until the run ends. It then compares the two work
folders bit by bit (see run_contents.py). The commands take turns. Most signals are SIGKILL, some
are SIGTERM. Half of the moments are random in time; the others lie in a chosen phase, such as
saving, which may be short.

The networks and frames are tiny, as the test is not about the quality of training. The script
prints a table, writes --output as JSON and keeps the folders of runs that differ next to it. It
exits with 1 if runs differ or end with an unexpected code.
Set TF_NUM_INTRAOP_THREADS=1 and TF_NUM_INTEROP_THREADS=1 to leave cores to other programs.
"""

import argparse
import collections
import datetime
import itertools
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import sys
import tempfile
import time

import run_contents
import run_phases
import tiny_runs
from nyu_files import write_nyu

from tfdepthviz.utils.files import write_whole
from tfdepthviz.utils.tables import text_table

SIGTERM_SHARE, FRESH_SHARE, AIMED_SHARE = 0.2, 0.05, 0.5
MOST_SIGNALS = 100  # signals to one run; after them it runs to its end
MOST_DIFFERENT = 5  # runs that differ; after them the soak ends
LONGEST_DELAY = 0.03  # seconds after the beginning of a chosen phase
ENDED, SAVED = 0, 75  # exit codes
# Number of times that a run enters a phase, if more than once.
TIMES = {"step": 8, "validation": 2, "logs": 4, "saving": 8}


class Disturber:
    """Sends signals at moments that a seed decides, and counts the phases that they met.

    Args:
      seed: seed of the moments.
      phase_file: Path of the file in which each run records its phase.
    """

    def __init__(self, seed, phase_file):
        self.moments = random.Random(seed)
        self.phase_file = phase_file
        self.met = {name: collections.Counter() for name in ("SIGKILL", "SIGTERM")}
        self.slowest_save = 0.0

    def disturb(self, process, duration):
        """Sends a signal to a run that has begun, and waits for its end.

        Args:
          process: multiprocessing.Process.
          duration: seconds that an undisturbed run takes.
        Returns:
          None if the run ended with an expected code, else a text.
        """
        self._wait_for_moment(process, duration)
        name = "SIGTERM" if self.moments.random() < SIGTERM_SHARE else "SIGKILL"
        started = time.monotonic()
        (process.terminate if name == "SIGTERM" else process.kill)()
        phase = run_phases.read(self.phase_file)
        process.join()
        if process.exitcode == ENDED:
            return None
        # The last phase of a killed run was the one it met; after SIGTERM others follow.
        self.met[name][run_phases.read(self.phase_file) if name == "SIGKILL" else phase] += 1
        if name == "SIGTERM" and process.exitcode == SAVED:
            self.slowest_save = max(self.slowest_save, time.monotonic() - started)
        elif process.exitcode != -signal.Signals[name]:
            return f"exit code {process.exitcode} after {name} in phase {phase}"
        return None

    def _wait_for_moment(self, process, duration):
        aimed = self.moments.random() < AIMED_SHARE
        if not aimed:
            process.join(self.moments.uniform(0, duration))
            return
        phase = self.moments.choice(run_phases.PHASES)
        times = self.moments.randint(1, TIMES.get(phase, 1))
        before = None
        while process.is_alive():
            now = run_phases.read(self.phase_file)
            if now == phase != before:
                times -= 1
            if not times:
                time.sleep(self.moments.uniform(0, LONGEST_DELAY))
                return
            before = now
            time.sleep(0.001)


def cycle(folder, command, seed, disturber):
    """Trains one run undisturbed and one disturbed; returns a text for each problem."""
    arguments = tiny_runs.arguments(command, folder.parent / "nyu", f"--seed={seed}")
    whole, torn = folder / "whole", folder / "torn"
    started = time.monotonic()
    if code := tiny_runs.finish(command, whole, arguments):
        return [f"undisturbed: exit code {code}", _last_lines(whole)]
    duration = time.monotonic() - started
    for signals in itertools.count():
        fork = disturber.moments.random() >= FRESH_SHARE
        phase_file = disturber.phase_file
        process = tiny_runs.start(command, torn, arguments, phase_file=phase_file, fork=fork)
        if signals < MOST_SIGNALS:
            wrong = disturber.disturb(process, duration)
        else:
            process.join()
            wrong = f"exit code {process.exitcode}" if process.exitcode else None
        if wrong:
            return [wrong, _last_lines(torn)]
        if process.exitcode == ENDED:
            return run_contents.differences(whole, torn)


def _last_lines(workdir):
    return pathlib.Path(f"{workdir}.log").read_text()[-2000:]


def main(minutes, seed, output):
    """Soaks, writes the JSON file after each cycle, and returns the exit code."""
    begun = time.monotonic()
    state = {
        "begun": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "minutes": 0.0,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "seed": seed,
        "runs_compared": collections.Counter(),
        "differences": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_nyu(folder / "nyu")
        disturber = Disturber(seed, folder / "phase")
        for run_seed, command in enumerate(itertools.cycle(tiny_runs.FLAGS), seed):
            (folder / "runs").mkdir()
            wrong = cycle(folder / "runs", command, run_seed, disturber)
            if wrong:
                kept = output.parent / f"soak_{command}_{run_seed}"
                shutil.copytree(folder / "runs", kept, dirs_exist_ok=True)
                report = {"command": command, "seed": run_seed, "wrong": wrong, "kept": str(kept)}
                print(report, file=sys.stderr, flush=True)
                state["differences"].append(report)
            shutil.rmtree(folder / "runs")
            state["runs_compared"][command] += 1
            state["minutes"] = round((time.monotonic() - begun) / 60, 2)
            state["signals_by_phase"] = disturber.met
            state["slowest_sigterm_seconds"] = round(disturber.slowest_save, 3)
            output.parent.mkdir(parents=True, exist_ok=True)
            write_whole(output, json.dumps(state, indent=2) + "\n")
            if state["minutes"] >= minutes or len(state["differences"]) >= MOST_DIFFERENT:
                break
    print(summary(state), end="")
    return 1 if state["differences"] else 0


def summary(state):
    """The content of the JSON file as text for a person."""
    met = state["signals_by_phase"]
    rows = [[phase, *(str(met[name][phase]) for name in met)] for phase in run_phases.PHASES]
    rows.append(["all", *(str(sum(met[name].values())) for name in met)])
    compared = sum(state["runs_compared"].values())
    return (
        f"{text_table(['phase', *met], rows)}"
        f"{compared} runs compared with undisturbed ones in {state['minutes']:.1f} minutes: "
        f"{len(state['differences'])} differ\n"
        f"from SIGTERM to exit with {SAVED}: {state['slowest_sigterm_seconds']} s at most\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60, help="time to begin new cycles")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments and runs")
    parser.add_argument("--output", type=pathlib.Path, default="runs/soak.json", help="JSON file")
    sys.exit(main(**vars(parser.parse_args())))
