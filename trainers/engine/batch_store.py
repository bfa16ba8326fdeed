"""Batch store: a long measurement's results on disk, batch by batch, so that it can continue."""

import json
import sys
from pathlib import Path

from tqdm import tqdm

from tfdepthviz.utils.arrays import UNREADABLE, read_arrays, write_arrays
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole
from trainers.engine.options import differences
from trainers.engine.output_folder import mark_output


class BatchStore:
    """Arrays of each batch, in the folder batches/ of an output folder.

        store = BatchStore("runs/masks", {"share": 0.4}, "masks")
        for number, batch in enumerate(batches):
            arrays = store(number, lambda: measure(batch))

    Args:
      output_dir: path of the output folder; made here.
      options: dict that JSON can hold: every option that changes the arrays.
      holds: what the arrays are, in words.
    Raises:
      InputError: the folder cannot be used, or holds results of other options.
    """

    def __init__(self, output_dir, options, holds):
        self.folder = Path(output_dir)
        self.options = json.loads(json.dumps(options))
        path = self.folder / "options.json"
        try:
            mark_output(self.folder)
            held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else self.options
            different = differences(self.options, held)
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(f"--output_dir={output_dir}: cannot be used ({error})") from error
        if different:
            raise InputError(
                f"--output_dir={output_dir}: holds {holds} of other options "
                f"({'; '.join(different)}); give another folder"
            )

    def __call__(self, number, measure, read=None):
        """Arrays of one batch by name: read if they are stored, else measured and stored.

        Args:
          number: number of the batch.
          measure: function without arguments -> dict of arrays.
          read: called with the arrays if they were stored already.
        """
        path = self.folder / "batches" / f"{number:04d}.npz"
        arrays = _read(path)
        if arrays is not None:
            if read:
                read(arrays)
            return arrays
        arrays = measure()
        # Written with the first batch: a command that failed before binds nobody to its options.
        write_whole(self.folder / "options.json", json.dumps(self.options, indent=2) + "\n")
        write_arrays(path, arrays)
        return arrays


def _read(path):
    """Stored arrays of a batch; None if there are none, or the file is damaged."""
    if not path.exists():
        return None
    try:
        return read_arrays(path)
    except UNREADABLE as error:
        tqdm.write(f"{path}: is damaged ({error}); measuring it again", file=sys.stderr)
        return None
