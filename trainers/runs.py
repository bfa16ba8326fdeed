"""What every training command does around `fit`: work folder, strategy, checkpoints, progress."""

import functools
import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz.errors import InputError, WriteError
from tfdepthviz.files import check_writable, whole, write_whole, writing
from tfdepthviz.optimizers import build_optimizer
from trainers import checkpoints, cluster, interruption, not_finite, training_loop

STRATEGIES = ("auto", "single", "mirrored", cluster.MULTI_WORKER)
# Options that may change when a run is continued.
NOT_BINDING = (
    "workdir",
    "checkpoint_steps",
    "skip_nonfinite_steps",
    "allow_outside_paths",
    "teacher_cache",
)
# Options that may differ between the workers of a cluster: where things lie on each machine.
OF_A_MACHINE = ("workdir", "data_dir", "depth_dir", "allow_outside_paths")


def prepare(precision, seed):
    """Sets the arithmetic of the networks built from here on, and every seed."""
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)


def build_strategy(name, batch_size, workers=cluster.ALONE):
    """The distribution strategy, checked against the global batch size.

    auto mirrors over all GPUs if there are several. mirrored does so in any case: over all GPUs,
    or over the logical CPUs where there is no GPU. multi_worker waits for all `workers`.
    """
    strategy = workers.join() or _local_strategy(name)
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"--batch_size={batch_size}: {replicas} replicas share a batch, so it must be a "
            f"multiple of {replicas}"
        )
    return strategy


def _local_strategy(name):
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    several_gpus = len(devices) > 1 and devices[0].device_type == "GPU"
    if name == "single" or (name == "auto" and not several_gpus):
        return tf.distribute.get_strategy()
    return mirrored(tuple(device.name for device in devices))


@functools.cache
def mirrored(devices):
    """The one MirroredStrategy over these devices.

    Two of them in one process would number their collective operations alike, and what one has
    run would answer for the other.
    """
    return tf.distribute.MirroredStrategy(list(devices))


def open_workdir(workdir, command, options, workers=cluster.ALONE):
    """Creates the work folder, or recognises the run that it holds; the chief's to do.

    Args:
      workdir: the folder.
      command: name of the command.
      options: all options of the run, as JSON can hold them.
      workers: cluster in which the command runs.
    Returns:
      Path of the folder, whose config.json holds command and options.
    Raises:
      InputError: no folder given, not writable, in use, or a run with other options lies in it.
    """
    if not workdir:
        raise InputError("--workdir: needs a folder for config, checkpoints, logs and results")
    config = {"command": command, "options": json.loads(json.dumps(options))}
    path = Path(workdir)
    if not workers.is_chief:
        return path
    try:
        path.mkdir(parents=True, exist_ok=True)
        interruption.lock(path)
        for remains in (*path.glob(".*.part"), *path.glob(".partial-*")):
            remains.unlink()  # of a process that was killed while it wrote
        # A command that failed before its first checkpoint binds nobody to its options.
        if (path / "config.json").exists() and _holds_a_run(path):
            _check_same_run(path, config)
        else:
            text = json.dumps({**config, "sha256": _sum(config)}, indent=2) + "\n"
            write_whole(path / "config.json", text)
    except WriteError:
        raise
    except OSError as error:
        raise InputError(f"--workdir={workdir}: cannot be used ({error})") from error
    return path


def compile_trainer(trainer, optimizer, **options):
    """Gives a trainer its optimiser; options as for `build_optimizer`."""
    # On a CPU, XLA's convolutions are slower than oneDNN's; under a strategy XLA fails.
    trainer.compile(build_optimizer(optimizer, **options), jit_compile=False)


def fit(
    trainer,
    net,
    workdir,
    *,
    training,
    validation,
    epochs,
    steps_per_epoch,
    checkpoint_steps,
    frames_of_step,
    skip_nonfinite_steps=False,
    state=None,
    settle=None,
    callbacks=(),
    reports=(),
    workers=cluster.ALONE,
):
    """Trains to `epochs`, from the newest whole checkpoint in the work folder if there is one.

    Args:
      trainer: compiled MaskTrainer or DepthTrainer.
      net: the network that it trains, saved as <workdir>/<name of its role>.keras at the end.
      training: function of the first step -> endless batches, this worker's part of each.
      validation: batches of finite cardinality, this worker's part of each.
      checkpoint_steps: steps of an epoch after which to save.
      frames_of_step: function of a step's number in the run -> names of its frames.
      skip_nonfinite_steps: take back steps that are not finite, in place of stopping.
      state: dict of variables that a checkpoint holds beside network and optimiser.
      settle: called after the last step of each epoch, before its validation.
      callbacks: keras.callbacks.Callback that take part in the training.
      reports: keras.callbacks.Callback that write or print; the chief's alone.
      workers: cluster in which the run takes place.
    """
    if not len(validation):
        raise InputError(
            "--batch_size: replicas share whole batches, and there are fewer validation frames"
        )
    with trainer.distribute_strategy.scope():  # Adam's moments are made where its weights are
        variables = _variables(trainer, net, state or {})
    saved = checkpoints.Checkpoints(workdir / "checkpoints", variables, workers)
    held = saved.restore()
    progress = training_loop.Progress.of(held)
    if held:
        place = f"epoch {progress.epoch} of {epochs}"
        place += f" and {progress.step} steps" if progress.step else ""
        print(f"continuing after {place} in {workdir}", flush=True)
    if workers.is_chief:
        training_loop.write_history(workdir / "history.csv", progress.history)
    workers.check_same({"progress": held, "weights": _fingerprint(trainer, workers)})
    if progress.epoch == epochs:
        return
    verbose = 1 if sys.stdout.isatty() else 2
    loop = training_loop.Loop(
        trainer,
        saved,
        progress,
        history_path=workdir / "history.csv",
        steps_per_epoch=steps_per_epoch,
        checkpoint_steps=checkpoint_steps,
        settle=settle,
        not_finite=not_finite.NotFinite(
            workdir,
            trainer.distribute_strategy,
            workers,
            _changing(trainer, net, state or {}),
            frames_of_step=frames_of_step,
            skip=skip_nonfinite_steps,
        ),
        callbacks=keras.callbacks.CallbackList(
            [*callbacks, *(reports if workers.is_chief else ())],
            add_progbar=workers.is_chief,
            model=trainer,
            verbose=verbose,
            epochs=epochs,
            steps=steps_per_epoch,
            # What was written later belongs to steps that come again.
            kept_step=progress.iterations,
        ),
        workers=workers,
    )
    loop.run(training(progress.epoch * steps_per_epoch + progress.step), validation, epochs)


def _variables(trainer, net, more):
    """Everything that changes while training, as `tf.train.Checkpoint` takes it."""
    trainer.optimizer.build(net.trainable_variables)
    seeds = [v for v in net.variables if v.path.endswith("seed_generator_state")]
    return {
        "net": net,
        "optimizer": trainer.optimizer,
        **more,
        # Keras gives a checkpoint the weights only; without these dropout would start anew.
        "seeds": [seed.value for seed in seeds],
        "metrics": [[v.value for v in metric.variables] for metric in trainer.metrics],
    }


def _changing(trainer, net, more):
    """The variables that one step changes."""
    metrics = [variable for metric in trainer.metrics for variable in metric.variables]
    found = [v.value for v in (*net.variables, *trainer.optimizer.variables, *metrics)]
    return [*found, *more.values()]


def _fingerprint(trainer, workers):
    """By which other weights than the chief's are found; costs nothing without a cluster."""
    if workers is cluster.ALONE:
        return None
    sums = hashlib.sha256()
    for variable in (*trainer.variables, *trainer.optimizer.variables):
        sums.update(np.ascontiguousarray(variable).tobytes())
    return sums.hexdigest()


def check_same_everywhere(workers, options, raw):
    """Raises InputError in every worker if one was given other flags, or finds other frames.

    Args:
      options: all options of the run.
      raw: dict of split -> raw examples.
    """
    flags = {f"--{name}": value for name, value in options.items() if name not in OF_A_MACHINE}
    frames = {f"number of {split} frames": len(examples) for split, examples in raw.items()}
    workers.check_same(flags | frames)


def keep_model(net, path, workers):
    """Saves the trained network, as the chief; the others wait, or the chief would lose them."""
    if workers.is_chief:
        save_model(net, path)
        print(f"wrote {path}", flush=True)
    workers.leave_together()


def save_model(model, path):
    """Saves a network as a .keras file, or its weights as .weights.h5, beside and renamed.

    Raises:
      WriteError: there is no room, or no right to write.
    """
    # HDF5's library says by RuntimeError that a file could not be closed.
    with writing(path, RuntimeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as beside:
            model.save(beside) if path.suffix == ".keras" else model.save_weights(beside)


def _holds_a_run(path):
    # Whoever needs the room may delete the checkpoints of a finished run.
    finished = any(path.glob("*_net.keras"))
    return finished or checkpoints.saved(path / "checkpoints")


def differences(here, there):
    """One text for each option that has another value in a folder than it is given now."""
    return [
        f"--{name}={value} here, {there.get(name)} there"
        for name, value in here.items()
        if there.get(name) != value
    ]


def check_output(folder, holds, flag="output_dir"):
    """What is asked of a folder to write into before a command computes for minutes.

    Args:
      folder: it need not be there, and is not made.
      holds: what is written into it, in words.
      flag: where it was given.
    Raises:
      InputError: none is given, or nothing can be written there.
    """
    if not folder:
        raise InputError(f"--{flag}: needs a folder for {holds}")
    try:
        check_writable(folder)
    except WriteError as error:
        raise InputError(f"--{flag}={folder}: cannot be used ({error.reason})") from error


def keep_options(path, options, holds):
    """Writes the options beside the results of an output folder, or recognises them.

    Args:
      path: file in the output folder.
      options: dict that JSON can hold, what decides about the results.
      holds: what the results are, in words.
    Raises:
      InputError: the folder cannot be used, or holds results of other options.
    """
    try:
        if not path.exists():
            write_whole(path, json.dumps(options, indent=2) + "\n")
        held = json.loads(path.read_text(encoding="utf-8"))
    except WriteError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"--output_dir={path.parent}: cannot be used ({error})") from error
    if held != options:
        raise InputError(
            f"--output_dir={path.parent}: holds {holds} with other options ({held} there, "
            f"{options} here); give another folder"
        )


def _sum(config):
    """By which a damaged option is told from another one."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _check_same_run(path, config):
    try:
        held = json.loads((path / "config.json").read_text(encoding="utf-8"))
        command, options = held["command"], dict(held["options"])
        expected = _sum({"command": command, "options": options})
        if held.get("sha256", expected) != expected:  # older versions wrote none
            raise ValueError("its SHA-256 sum is another than when it was written")
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path / 'config.json'}: is damaged, or not one of ours ({error!r}); the "
            "checkpoints are kept: remove this file, and the command with the run's own options "
            "continues"
        ) from error
    if command != config["command"]:
        raise InputError(f"--workdir={path}: holds a run of {command}; give another folder")
    # The folder may have been moved, or be called otherwise from here.
    wanted = {k: v for k, v in config["options"].items() if k not in NOT_BINDING}
    found = differences(wanted, options)
    if found:
        raise InputError(
            f"--workdir={path}: holds a run with other options ({'; '.join(found)}); "
            "give another folder"
        )
