"""Training commands with networks of a few weights, in processes that can be killed.

Each process is a fork of one that has loaded TensorFlow, and so starts at once.
"""

import contextlib
import functools
import itertools
import multiprocessing
import os
import pathlib
import shutil
import signal
import sys
from multiprocessing import forkserver

import run_phases
import tiny_nets

from tfdepthviz import models
from tfdepthviz.data import pipeline
from tfdepthviz.reports import event_files, panels, tensorboard
from tfdepthviz.training import depth_trainer, mask_trainer, ranking_trainer
from tfdepthviz.utils import files
from trainers import train_depth, train_mask
from trainers.cli import flag_types, flags
from trainers.engine import checkpoints, fit, loop, source
from trainers.engine import workdir as workdir_module

COMMANDS = {"train_depth": train_depth, "paper": train_mask, "ranking": train_mask}
# Code in which a kill may hurt: it runs between steps and while saving.
MODULES = (checkpoints, event_files, files, fit, loop, shutil, tensorboard, workdir_module)
FILES = {module.__file__ for module in MODULES}
# Slow functions that call none of this code.
UNCOUNTED = (
    (depth_trainer.DepthTrainer, "step_and_faults"),
    (depth_trainer.DepthTrainer, "test_step"),
    (mask_trainer.MaskTrainer, "step_and_faults"),
    (mask_trainer.MaskTrainer, "test_step"),
    (ranking_trainer.RankingTrainer, "step_and_faults"),
    (ranking_trainer.RankingTrainer, "test_step"),
    (pipeline, "training_batches"),
    (pipeline, "evaluation_batches"),
    (pipeline, "spread"),
    (source.Source, "load"),
    (panels, "draw_panels"),
)

EPOCHS, STEPS = 2, 4  # of the training pairs that nyu_files writes
COMMON = (f"--epochs={EPOCHS}", "--batch_size=1", "--checkpoint_steps=1", "--learning_rate=0.01")
OF_MASKS = (
    *("--depth_net=tiny", "--depth_weights=random", "--mask_net=tiny", "--mask_weights=random"),
    "--strips=1",
)
# Of each kind of run. Two kinds are of one command, train_mask.
FLAGS = {
    "train_depth": ("--depth_net=tiny", "--loss=l1,gradient", "--learning_rate_decay=cosine"),
    "paper": (*OF_MASKS, "--recipe=paper", "--sparsity_warmup=1.5", "--relaxation=concrete"),
    "ranking": OF_MASKS,
}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tiny_runs"])


def _start_server():
    """Starts the process that forks; in Python 3.11 only PYTHONPATH tells it where modules lie."""
    here = pathlib.Path(__file__).resolve().parent
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{here}{os.pathsep}{here.parents[1]}"
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def arguments(command, nyu, *more):
    """Flags of a short run on tiny frames; its checkpoints hold every sort of state."""
    sizes = ["--input_size=tiny", "--dataset=nyu", f"--data_dir={nyu}"]
    return [*COMMON, *FLAGS[command], *sizes, *more]


def start(
    command,
    workdir,
    arguments,
    *,
    kill_at=None,
    events_file=None,
    phase_file=None,
    fork=True,
    tf_config="",
):
    """Starts a command whose networks may be called `tiny`, and returns the Process.

    Its output goes to <workdir>.log.

    Args:
      kill_at: number of the event of FILES (a call or a return) at which the process kills itself.
      events_file: path of a file for the number of events of the whole run.
      phase_file: Path of a file for the run's current phase (see run_phases.py).
      fork: whether to start from a process that has loaded TensorFlow.
      tf_config: its TF_CONFIG.
    """
    if phase_file:
        phase_file.write_text(run_phases.PHASES[0])
    if fork:
        _start_server()
    context = _context if fork else multiprocessing.get_context("spawn")
    process = context.Process(
        target=_main,
        args=(command, str(workdir), list(arguments), kill_at, events_file, phase_file, tf_config),
    )
    process.start()
    return process


def finish(command, workdir, arguments, **more):
    """Runs a command as `start` does and returns its exit code; -9 if it was killed."""
    process = start(command, workdir, arguments, **more)
    process.join()
    return process.exitcode


def _main(command, workdir, arguments, kill_at, events_file, phase_file, tf_config):
    os.environ["TF_CONFIG"] = tf_config
    log = os.open(f"{workdir}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    models.DEPTH_NETS["tiny"] = lambda _: tiny_nets.depth_net(dropout=0.3)
    models.DEPTH_NETS["tiny_undropped"] = lambda _: tiny_nets.depth_net()
    models.MASK_NETS["tiny"] = lambda _: tiny_nets.mask_net()
    flag_types.SizeParser.parse = lambda self, text: tiny_nets.SIZE
    sys.argv = [command, f"--workdir={workdir}", *arguments]
    if phase_file:
        run_phases.record(phase_file)
    counted = _counted_events(kill_at) if kill_at or events_file else contextlib.nullcontext()
    try:
        with counted as events:
            flags.main(COMMANDS[command].run, COMMANDS[command].Options)
    finally:
        if events_file:
            pathlib.Path(events_file).write_text(str(next(events)))


@contextlib.contextmanager
def _counted_events(kill_at):
    """Counts the events of FILES inside; yields the count, which `next` reads."""
    events = itertools.count()

    def count(frame, event, argument):
        if frame.f_code.co_filename in FILES and next(events) + 1 == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name in UNCOUNTED:
        setattr(owner, name, _uncounted(getattr(owner, name)))
    sys.setprofile(count)
    try:
        yield events
    finally:
        sys.setprofile(None)


def _uncounted(function):
    """The function without the profiler, under which TensorFlow's tracing takes twice the time."""

    @functools.wraps(function)
    def run(*args, **kwargs):
        profiler = sys.getprofile()
        sys.setprofile(None)
        try:
            return function(*args, **kwargs)
        finally:
            sys.setprofile(profiler)

    return run
