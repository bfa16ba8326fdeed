"""What every training command does around `fit`: work folder, strategy, checkpoints, progress."""

import functools
import json
import os
import sys
from pathlib import Path

import keras
import tensorflow as tf

from tfdepthviz.errors import InputError
from tfdepthviz.files import write_whole
from tfdepthviz.optimizers import build_optimizer

STRATEGIES = ("auto", "single", "mirrored")
KEPT_CHECKPOINTS = 2


def prepare(precision, seed):
    """Sets the arithmetic of the networks built from here on, and every seed."""
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)


def build_strategy(name, batch_size):
    """The distribution strategy, checked against the global batch size.

    auto mirrors over all GPUs if there are several. mirrored does so in any case: over all GPUs,
    or over the logical CPUs where there is no GPU.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    several_gpus = len(devices) > 1 and devices[0].device_type == "GPU"
    if name == "single" or (name == "auto" and not several_gpus):
        return tf.distribute.get_strategy()
    strategy = mirrored(tuple(device.name for device in devices))
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"--batch_size={batch_size}: {replicas} replicas share a batch, so it must be a "
            f"multiple of {replicas}"
        )
    return strategy


@functools.cache
def mirrored(devices):
    """The one MirroredStrategy over these devices.

    Two of them in one process would number their collective operations alike, and what one has
    run would answer for the other.
    """
    return tf.distribute.MirroredStrategy(list(devices))


def open_workdir(workdir, command, options):
    """Creates the work folder, or recognises the run that it holds.

    Args:
      workdir: the folder.
      command: name of the command.
      options: all options of the run, as JSON can hold them.
    Returns:
      Path of the folder, whose config.json holds command and options.
    Raises:
      InputError: no folder given, not writable, or a run with other options lies in it.
    """
    if not workdir:
        raise InputError("--workdir: needs a folder for config, checkpoints, logs and results")
    config = {"command": command, "options": json.loads(json.dumps(options))}
    path = Path(workdir)
    try:
        path.mkdir(parents=True, exist_ok=True)
        # A command that failed before its first checkpoint binds nobody to its options.
        if (path / "config.json").exists() and _holds_a_run(path):
            _check_same_run(path, config)
        else:
            write_whole(path / "config.json", json.dumps(config, indent=2) + "\n")
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
    state=None,
    callbacks=(),
):
    """Trains to `epochs`, from the newest checkpoint in the work folder if there is one.

    Args:
      trainer: compiled MaskTrainer or DepthTrainer.
      net: the network that it trains, saved as <workdir>/<name of its role>.keras at the end.
      training: function of the first step -> endless batches.
      validation: batches of finite cardinality.
      state: dict of variables that a checkpoint holds beside network and optimiser.
    """
    if not validation.cardinality():
        raise InputError(
            "--batch_size: replicas share whole batches, and there are fewer validation frames"
        )
    with trainer.distribute_strategy.scope():  # Adam's moments are made where its weights are
        checkpoints = Checkpoints(workdir / "checkpoints", net, trainer.optimizer, state)
    first_epoch = checkpoints.restore()
    if first_epoch:
        print(f"continuing after epoch {first_epoch} of {epochs} in {workdir}", flush=True)
    if first_epoch < epochs:
        trainer.fit(
            training(first_epoch * steps_per_epoch),
            validation_data=validation,
            initial_epoch=first_epoch,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[
                *callbacks,
                keras.callbacks.CSVLogger(str(workdir / "history.csv"), append=first_epoch > 0),
                checkpoints,
            ],
        )


class Checkpoints(keras.callbacks.Callback):
    """Saves network, optimiser and epoch after each epoch; restores the newest.

    Args:
      folder: where to keep the two newest checkpoints.
      net: keras.Model.
      optimizer: its optimiser.
      more: dict of other variables, such as a lambda that changes.
    """

    def __init__(self, folder, net, optimizer, more=None):
        super().__init__()
        optimizer.build(net.trainable_variables)
        self.epochs_done = tf.Variable(0, dtype=tf.int64, trainable=False)
        state = tf.train.Checkpoint(
            net=net,
            optimizer=optimizer,
            epochs_done=self.epochs_done,
            **(more or {}),
            # Keras gives a checkpoint the weights only; without these dropout would start anew.
            seeds=[v.value for v in net.variables if v.path.endswith("seed_generator_state")],
        )
        self.manager = tf.train.CheckpointManager(state, str(folder), max_to_keep=KEPT_CHECKPOINTS)

    def restore(self):
        """Restores the newest checkpoint and gives the number of finished epochs."""
        try:
            self.manager.restore_or_initialize()
        except (tf.errors.OpError, ValueError) as error:
            raise InputError(
                f"{self.manager.latest_checkpoint}: cannot be continued from, give another "
                f"--workdir ({' '.join(str(error).split())[:200]})"
            ) from error
        return int(self.epochs_done.numpy())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs_done.assign(epoch + 1)
        self.manager.save(checkpoint_number=epoch + 1)


def save_model(model, path):
    """Saves a network as a .keras file, beside and renamed."""
    partial = path.with_name(f".partial-{path.name}")
    model.save(partial)
    os.replace(partial, path)


def _holds_a_run(path):
    # Whoever needs the room may delete the checkpoints of a finished run.
    finished = any(path.glob("*_net.keras"))
    return finished or tf.train.latest_checkpoint(path / "checkpoints")


def differences(here, there):
    """One text for each option that has another value in a folder than it is given now."""
    return [
        f"--{name}={value} here, {there.get(name)} there"
        for name, value in here.items()
        if there.get(name) != value
    ]


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
    except (OSError, ValueError) as error:
        raise InputError(f"--output_dir={path.parent}: cannot be used ({error})") from error
    if held != options:
        raise InputError(
            f"--output_dir={path.parent}: holds {holds} with other options ({held} there, "
            f"{options} here); give another folder"
        )


def _check_same_run(path, config):
    try:
        held = json.loads((path / "config.json").read_text(encoding="utf-8"))
        command, options = held["command"], dict(held["options"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path / 'config.json'}: is not one of ours ({error!r})") from error
    if command != config["command"]:
        raise InputError(f"--workdir={path}: holds a run of {command}; give another folder")
    # The folder may have been moved, or be called otherwise from here.
    wanted = {k: v for k, v in config["options"].items() if k != "workdir"}
    found = differences(wanted, options)
    if found:
        raise InputError(
            f"--workdir={path}: holds a run with other options ({'; '.join(found)}); "
            "give another folder"
        )
