"""Fuzzing of the readers of strangers' files with Google's coverage-guided fuzzer.

    pip install atheris
    python tests/helpers/atheris_fuzz.py csv -max_total_time=300

The first argument is one of READERS, the others are libFuzzer's. It runs until a reader raises
anything but InputError, and then leaves the bytes in crash-*. Tests do not need it; test_fuzz.py
fuzzes without it.
"""

import io
import pathlib
import sys
import tempfile

import atheris

with atheris.instrument_imports(include=["tfdepthviz", "csv", "pickletools", "zipfile", "tarfile"]):
    from tfdepthviz.data import examples, kitti_lists, nyu, tum
    from tfdepthviz.data.frame_files import FrameFiles
    from tfdepthviz.data.image_sizes import stated_size
    from tfdepthviz.models import porting
    from tfdepthviz.models.porting import torch_pickle
    from tfdepthviz.utils.errors import InputError

import tensorflow as tf
from PIL import Image

FOLDER = pathlib.Path(tempfile.mkdtemp())
SCALES = {8: 0.1, 16: 0.001}


def csv(content):
    (FOLDER / "nyu2_train.csv").write_bytes(content)
    nyu.files(str(FOLDER))._check_places()


def lists(content):
    (FOLDER / "associations.txt").write_bytes(content)
    try:
        tum.files(str(FOLDER))._check_places()
    except InputError:
        kitti_lists.read(str(FOLDER / "associations.txt"))


def depth(content):
    paths = FOLDER / "i.png", FOLDER / "d.png"
    if not paths[0].exists():
        Image.new("RGB", (9, 6)).save(paths[0])
    paths[1].write_bytes(content)
    stated_size(content)
    try:
        examples.read_depth(str(paths[1]), SCALES)
    except tf.errors.OpError:
        try:
            FrameFiles([str(paths[0])], [str(paths[1])], SCALES).check()
        except InputError:
            return
        raise  # it cannot be read, but the check finds no reason


def torch(content):
    (FOLDER / "t.pth").write_bytes(content)
    porting.read_torch_checkpoint(FOLDER / "t.pth")


def pickle(content):
    try:
        torch_pickle.unpickle(io.BytesIO(content))
    except torch_pickle.Refused as error:
        assert "\n" not in str(error)


READERS = {function.__name__: function for function in (csv, lists, depth, torch, pickle)}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in READERS:
        sys.exit(f"expected one of {', '.join(READERS)}, then flags of libFuzzer")
    read = READERS[sys.argv.pop(1)]

    def once(content):
        try:
            read(content)
        except InputError as error:
            assert "\n" not in str(error), error

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
