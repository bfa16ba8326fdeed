"""Made-up lists, pictures, checkpoints and flags: each is read, or refused in one line.

    python -m pytest tests/integration/test_fuzz.py --hypothesis-profile=long

tries more examples than the suite does. Requests to the server: serving/test_fuzz.py.
"""

import contextlib
import importlib
import io
import json
import pathlib
import shutil
import tempfile

import commands
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tfdepthviz.data import examples, kitti_lists, nyu, tum
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256
from trainers.cli import flags
from trainers.engine import checkpoints
from trainers.engine.loop import Progress
from trainers.engine.options import flat

# All examples of a test share its fixtures: the examples do not depend on each other's files.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.sampled_from(
    ["i.jpg", "d.png", ",", "\n", "\r", '"', "..", "/", "\\", "\0", " ", "#", "1.5", "rgb/", "é"]
    + ["2011_09_26_drive_0001_sync/image_02/data/0000000001.png", "\ufeff", "nan", "x" * 300]
)
LISTS = st.binary(max_size=60) | st.lists(PIECES | st.text(max_size=3), max_size=12).map(
    lambda pieces: "".join(pieces).encode(errors="replace")
)


@contextlib.contextmanager
def refused_in_one_line():
    try:
        yield
    except InputError as error:
        assert str(error) and "\n" not in str(error)


@pytest.mark.parametrize("reader", ["nyu", "tum", "kitti"])
@shared
@given(content=LISTS)
@example(content=b"0,\0/")
@example(content=b'"a\nb.jpg",d.png')
@example(content=b"1 i.jpg 1 d.png\n")
@example(content=b"i.jpg,d.png\n")
def test_lists_of_files(tmp_path, reader, content):
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (9, 6)).save(folder / "i.jpg")
    Image.new("I;16", (9, 6)).save(folder / "d.png")
    for name in ("nyu2_train.csv", "associations.txt", "list.txt"):
        (folder / name).write_bytes(content)
    with refused_in_one_line():
        if reader == "kitti":
            assert kitti_lists.read(str(folder / "list.txt"))
            return
        frames = {"nyu": nyu, "tum": tum}[reader].files(str(folder), "train")
        for image, depth in zip(frames.images, frames.depths, strict=True):
            assert isinstance(image, str) and isinstance(depth, str)
        assert len(list(frames.examples())) == len(frames)


def _png(bits):
    values = np.arange(54).reshape(6, 9) * (1 if bits == 8 else 1000)
    stream = io.BytesIO()
    Image.fromarray(values.astype(f"uint{bits}")).save(stream, "PNG")
    return stream.getvalue()


@st.composite
def spoilt(draw, whole):
    """Bytes with a few of them changed, put in, taken out or cut off."""
    content = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        until = at + draw(st.sampled_from((0, 1, 1, 4)))
        content[at:until] = draw(st.binary(max_size=4))
    return bytes(content[: draw(st.none() | st.integers(0, len(content)))])


@shared
@given(content=spoilt([_png(8), _png(16)]) | st.binary(max_size=40))
@example(content=_png(8)[:-22])  # which Pillow reads and TensorFlow does not
def test_depth_files(tmp_path, content):
    (tmp_path / "d.png").write_bytes(content)
    Image.new("RGB", (9, 6)).save(tmp_path / "i.png")
    scales = {8: 0.1, 16: 0.001}
    frames = FrameFiles([str(tmp_path / "i.png")], [str(tmp_path / "d.png")], scales)
    try:
        depth = examples.read_depth(frames.depths[0], scales).numpy()
        assert np.isfinite(depth).all() and (depth >= 0).all()
    except tf.errors.OpError:
        with pytest.raises(InputError) as refused:
            frames.check()  # which commands call for the message
        assert str(refused.value).startswith(str(tmp_path)) and "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of one variable, which is [1, 2, 3]."""
    folder = tmp_path_factory.mktemp("checkpoint")
    variable = tf.Variable([1.0, 2.0, 3.0])
    checkpoints.Checkpoints(folder, {"variable": variable}).save(1, 2, vars(Progress(1, 2)))
    return folder


def restored(folder):
    """Progress and variable after restoring, None if that was refused."""
    variable = tf.Variable([0.0, 0.0, 0.0])
    with refused_in_one_line():
        held = checkpoints.Checkpoints(folder, {"variable": variable}).restore()
        return Progress.of(held), list(variable.numpy())
    return None


FILES = ("sums.json", "progress.json", "variables.index", "variables.data-00000-of-00001")


@shared
@given(data=st.data(), name=st.sampled_from(FILES), resealed=st.booleans())
def test_checkpoints(checkpoint, data, name, resealed):
    with tempfile.TemporaryDirectory() as folder:
        folder = shutil.copytree(checkpoint, pathlib.Path(folder) / "c")
        (path,) = checkpoints.saved(folder)
        before = (path / name).read_bytes()
        (path / name).write_bytes(data.draw(spoilt([before])))
        same = (path / name).read_bytes() == before
        if resealed:  # by someone who knows how
            sums = {p.name: sha256(p) for p in path.iterdir() if p.name != "sums.json"}
            (path / "sums.json").write_text(json.dumps(sums))
        result = restored(folder)
    if same or (name == "sums.json" and resealed):
        assert result == (Progress(1, 2), [1.0, 2.0, 3.0])
    elif name != "sums.json" and not resealed:
        assert result is None


@pytest.mark.parametrize("text", ['{"progress.json": "", "/dev/zero": ""}', "[" * 100_000])
def test_sums_that_take_long_to_read(checkpoint, tmp_path, text):
    folder = shutil.copytree(checkpoint, tmp_path / "c")
    (checkpoints.saved(folder)[0] / "sums.json").write_text(text)
    assert restored(folder) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(JSON | st.dictionaries(st.sampled_from([*vars(Progress()), "other"]), JSON))
@example({"epoch": -1})
@example({"history": [{"epoch": 0}, {"loss": 1.0}]})
def test_progress(held):
    with refused_in_one_line():
        progress = Progress.of(held)
        assert progress.epoch >= 0 and progress.step >= 0
        assert all("epoch" in row for row in progress.history)


COMMANDS = sorted(p.stem for p in pathlib.Path(flags.__file__).parents[1].glob("[!_]*.py"))
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["", "nan", "inf", "-1", "1e400", "0", ",", "1,2", "1,,2", "true", "=", "9" * 30, "\n", "٣"]
)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@given(data=st.data(), texts=st.lists(TEXTS, min_size=1, max_size=3))
@settings(max_examples=settings().max_examples // 2)
def test_flags(command, data, texts):
    options_class = importlib.import_module(f"trainers.{command}").Options
    called = []
    names = list(flat(options_class()))
    names = data.draw(st.lists(st.sampled_from([*names, "flagfile", "undefok", "x"]), max_size=3))
    line = [f"--{name}={text}" for name, text in zip(names, texts, strict=False)]
    code, _, said = commands.parsed(
        called.append, options_class, [command, *line, *data.draw(st.lists(TEXTS, max_size=1))]
    )
    if called:
        assert code == 0 and said == ""
    else:
        assert code == 1 and said.startswith("error: ") and said.count("\n") == 1
