"""What a long measurement has found so far, batch by batch, so that the same command continues."""

import json
import sys
from pathlib import Path

from tqdm import tqdm

from tfdepthviz.utils.arrays import UNREADABLE, read_arrays, write_arrays
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole
from trainers.engine.workdir import differences


class KeptBatches:
    """Arrays of each batch, in the folder batches/ of an output folder.

    Args:
      output_dir: the output folder; made here.
      options: dict that JSON can hold: what decides about the arrays.
      holds: what the arrays are, in words.
    Raises:
      InputError: the folder cannot be used, or holds results of other options.
    """

    def __init__(self, output_dir, options, holds):
        self.folder = Path(output_dir)
        self.options = json.loads(json.dumps(options))
        path = self.folder / "options.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
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
        """Arrays of one batch by name: those kept, or else what `measure()` returns, kept now.

        Args:
          number: of the batch.
          measure: function without arguments -> dict of arrays.
          read: called with the arrays if they were kept already.
        """
        path = self.folder / "batches" / f"{number:04d}.npz"
        arrays = _read(path)
        if arrays is not None:
            if read:
                read(arrays)
            return arrays
        arrays = measure()
        # With the first batch: what failed before binds nobody to its options.
        write_whole(self.folder / "options.json", json.dumps(self.options, indent=2) + "\n")
        write_arrays(path, arrays)
        return arrays


def _read(path):
    """Arrays of a batch that was measured before; None if there are none, or not whole ones."""
    if not path.exists():
        return None
    try:
        return read_arrays(path)
    except UNREADABLE as error:
        tqdm.write(f"{path}: is damaged ({error}); measuring it again", file=sys.stderr)
        return None
