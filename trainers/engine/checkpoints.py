"""Checkpoints of a run: each is a folder that is whole, or does not exist.

    <workdir>/checkpoints/epoch-00002-step-0000040/
        variables.index, variables.data-00000-of-00001    as TensorFlow writes them
        progress.json                                     the rest of the run's state
        sums.json                                         SHA-256 of the other files

A checkpoint is written into a hidden folder, read back, synchronised to the disk and then renamed.
The two newest are kept; while one is written, there are three.

In a cluster the chief writes, and the other workers restore the checkpoint that the chief chooses.
All workers must save and restore at the same time, as the values of metrics are sums over workers.
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import tensorflow as tf

from tfdepthviz.utils.errors import InputError, one_line
from tfdepthviz.utils.files import sha256, whole_folder, writing
from trainers.engine.cluster import ALONE, watched

KEPT = 2
VARIABLES, PROGRESS, SUMS = "variables", "progress.json", "sums.json"
NAME = re.compile(r"epoch-(\d{5,})-step-(\d{7,})")


class Checkpoints:
    """Saves and restores the variables of a run, and with them its progress.

        checkpoints = Checkpoints("runs/mask/checkpoints", {"net": net, "optimizer": optimizer})
        progress = checkpoints.restore()  # None: a new run
        checkpoints.save(epoch=0, step=200, progress={"epoch": 0, "step": 200})

    Args:
      folder: path of the folder that holds the checkpoints.
      variables: dict of name -> trackable object, as `tf.train.Checkpoint` takes it.
      workers: cluster in which the run takes place.
    """

    def __init__(self, folder, variables, workers=ALONE):
        self.folder = Path(folder)
        self.workers = workers
        self.state = tf.train.Checkpoint(**variables)

    def save(self, epoch, step, progress):
        """Writes a checkpoint unless it exists, and then removes old ones.

        Args:
          epoch: finished epochs.
          step: finished steps of the epoch after them.
          progress: dict that JSON can hold.
        Raises:
          WriteError: the folder cannot be written to; older checkpoints are untouched.
        """
        target = self.folder / _name(epoch, step)
        (exists,) = self.workers.of_chief(target.exists())
        if exists:
            return
        if not self.workers.is_chief:
            return self._help_to_write()
        with writing(target, tf.errors.OpError):
            with whole_folder(target) as partial:
                self._write(partial, progress)
            _synchronise(self.folder)
            for old in saved(self.folder)[:-KEPT]:
                _remove(old)

    def _help_to_write(self):
        """Writes to a temporary folder: the chief's write sums metrics over all workers."""
        with tempfile.TemporaryDirectory() as folder, writing(folder, tf.errors.OpError):
            self._write_variables(f"{folder}/{VARIABLES}")

    def _write_variables(self, prefix):
        with watched():  # a worker that has ended is not a failure of the disk
            self.state.write(prefix)

    def _write(self, folder, progress):
        folder.mkdir(parents=True)
        self._write_variables(str(folder / VARIABLES))
        _read_back(folder / VARIABLES)
        (folder / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
        sums = {path.name: sha256(path) for path in sorted(folder.iterdir())}
        (folder / SUMS).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")
        for path in (*folder.iterdir(), folder):
            _synchronise(path)

    def restore(self):
        """Restores the newest whole checkpoint; removes damaged ones and half-written folders.

        Returns:
          the progress that was saved with it; None if there is no checkpoint.
        Raises:
          InputError: all checkpoints are damaged, or belong to another network or an older version.
        """
        newest = self._newest_whole() if self.workers.is_chief else None
        moment = _moment(newest) if newest else (-1, -1)
        epoch, step = (int(number) for number in self.workers.of_chief(*moment))
        if epoch < 0:
            return None
        path = self.folder / _name(epoch, step)
        if not self.workers.is_chief and (damage := _damage(path)):
            raise InputError(
                f"--workdir={self.folder.parent}: this worker cannot read the chief's {path.name} "
                f"({damage}); to continue, all workers need its folder, on a disk that they share"
            )
        return self._read(path)

    def _newest_whole(self):
        """Path of the newest whole checkpoint, or None; removes all but the whole ones kept."""
        for remains in self.folder.glob(".*"):
            _remove(remains)
        whole = saved(self.folder)
        if not whole:
            self._refuse_old_layout()
            return None
        damaged = []
        while whole and (damage := _damage(whole[-1])):
            damaged.append((whole.pop(), damage))
        if not whole:
            raise InputError(
                f"{self.folder}: no checkpoint is whole ({damaged[0][1]}); to start anew, remove "
                "the folder or give another --workdir"
            )
        for path, damage in damaged:
            print(f"{path.name} is damaged ({damage}); going back to {whole[-1].name}", flush=True)
            _remove(path)
        # More than two are left by a process that was killed between saving and removing.
        for old in whole[:-KEPT]:
            _remove(old)
        return whole[-1]

    def _read(self, path):
        try:
            status = self.state.read(str(path / VARIABLES))
            status.assert_existing_objects_matched()
            return json.loads((path / PROGRESS).read_text(encoding="utf-8"))
        except Exception as error:  # TensorFlow raises many kinds for a damaged table
            raise InputError(
                f"{path}: cannot be continued from, give another --workdir ({one_line(error, 200)})"
            ) from error

    def _refuse_old_layout(self):
        for path in self.folder.glob("ckpt-*.index"):
            raise InputError(
                f"{path}: is a checkpoint as older versions wrote them, which cannot be continued "
                "from; give another --workdir"
            )


def saved(folder):
    """Paths of the checkpoints in a folder, the newest last; the folder need not exist."""
    return sorted(path for path in Path(folder).glob("epoch-*") if NAME.fullmatch(path.name))


def _name(epoch, step):
    return f"epoch-{epoch:05d}-step-{step:07d}"


def _moment(path):
    """(epoch, step) of a checkpoint's path."""
    return tuple(int(number) for number in NAME.fullmatch(path.name).groups())


def _damage(path):
    """The damage of a checkpoint's files in words; None if they are whole."""
    try:
        sums = json.loads((path / SUMS).read_text(encoding="utf-8"))
        if not isinstance(sums, dict) or PROGRESS not in sums:
            return f"{SUMS} lists no sums"
        if any("/" in name for name in sums):
            return f"{SUMS} lists files of other folders"
        for name, expected in sums.items():
            if sha256(path / name) != expected:
                return f"{name} has another SHA-256 sum than when it was written"
    except (OSError, ValueError, RecursionError) as error:
        return one_line(error, 200)
    return None


def _read_back(prefix):
    """Reads every tensor; TensorFlow checks each against the sum that it took in memory."""
    reader = tf.train.load_checkpoint(str(prefix))
    for name in reader.get_variable_to_shape_map():
        reader.get_tensor(name)


def _synchronise(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path):
    """Removes a file or folder."""
    # Renamed first: what a kill leaves of a checkpoint must not look like one.
    if path.is_dir() and not path.name.startswith("."):
        path = path.rename(path.with_name(f".{path.name}.old"))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
