"""complete_depth as a user runs it, on tiny sequences in the TUM layout."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import commands
import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import completion
from tfdepthviz.utils.errors import InputError
from trainers import complete_depth

ROOT = pathlib.Path(__file__).resolve().parents[2]


def write_tum(folder, frames=6, height=24, width=40, depths_only_differ=False):
    """Images, and 5000 steps to a metre of depth at a tenth of the pixels."""
    lines = []
    for number in range(frames):
        rng = np.random.default_rng(number)
        rgb = f"rgb/{0 if depths_only_differ else number}.png"
        for name in ("rgb", "depth"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(folder / rgb)
        depth = rng.integers(5000, 40000, (height, width)).astype("uint16")
        depth[rng.uniform(size=depth.shape) > 0.1] = 0
        Image.fromarray(depth).save(folder / f"depth/{number}.png")
        lines.append(f"{number}.0 {rgb} {number}.0 depth/{number}.png\n")
    (folder / "associations.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def tum(tmp_path):
    return write_tum(tmp_path / "tum")


def complete(data_dir, output_dir, dataset="tum", split="train", skip=False, **options):
    return commands.run(
        complete_depth,
        dataset=dataset,
        data_dir=str(data_dir),
        skip_bad_examples=skip,
        split=split,
        output_dir=str(output_dir),
        **options,
    )


def results(folder):
    """Relative path -> bytes of all completed depth maps."""
    files = sorted((folder / "depth").iterdir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def expected(tum, name, **options):
    pixels = np.asarray(Image.open(tum / f"rgb/{name}.png"))
    metres = np.asarray(Image.open(tum / f"depth/{name}.png")) / 5000
    return completion.complete(pixels, metres, **options) * 5000


def command(tum, output, *flags):
    return [
        *(sys.executable, "-m", "trainers.complete_depth", "--dataset=tum", f"--data_dir={tum}"),
        *("--split=train", f"--output_dir={output}", *flags),
    ]


def test_dense_files(tum, tmp_path):
    output = tmp_path / "out"
    line = command(tum, output, "--workers=2", "--known_pixels=keep")
    ran = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert first == f"wrote 4 depth maps to {output}; 0 were there"
    assert second == f"look at: {output}/preview" and ran.stderr == ""
    # The last fifth of the time is for validation; the frame before it is not used.
    assert list(results(output)) == [f"depth/{number}.png" for number in range(4)]
    for number in range(4):
        with Image.open(output / f"depth/{number}.png") as image:
            assert image.mode == "I;16"
            np.testing.assert_allclose(image, expected(tum, number, known_pixels="keep"), atol=0.51)
            measured = np.asarray(Image.open(tum / f"depth/{number}.png"))
            np.testing.assert_array_equal(np.asarray(image)[measured != 0], measured[measured != 0])
        with Image.open(output / f"preview/train_{number}.png") as image:
            assert image.mode == "RGB" and image.height > 3 * 24
    assert (
        len([path for path in output.rglob("*") if path.is_file()]) == 4 + 4 + 2
    )  # completion.json and the mark
    whole = results(output)
    (output / "depth/2.png").unlink()
    (output / "depth/3.png").write_bytes(b"not to be written again")
    complete(tum, output, known_pixels="keep")
    whole["depth/3.png"] = b"not to be written again"
    assert results(output) == whole


def test_any_number_of_workers_and_order(tum, tmp_path):
    one = results(complete(tum, tmp_path / "one", workers=1))
    lines = (tum / "associations.txt").read_text().splitlines()
    (tum / "associations.txt").write_text("\n".join(reversed(lines)))
    assert results(complete(tum, tmp_path / "three", workers=3)) == one
    assert results(complete(tum, tmp_path / "keep", known_pixels="keep")) != one


def test_ctrl_c(tmp_path):
    tum = write_tum(tmp_path / "tum", 300, 120, 200, depths_only_differ=True)
    line = command(tum, tmp_path / "out", "--workers=2")
    env = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1"}
    # Tests that run in the background of a shell pass on that SIGINT is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        line, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        signal.signal(signal.SIGINT, before)
        while not list((tmp_path / "out").glob("depth/[0-9]*.png")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130 and out == ""
    assert err.endswith("\nstopped; the same command continues\n") and "Traceback" not in err
    written = list((tmp_path / "out/depth").iterdir())
    assert 0 < len(written) < 240
    for path in written:
        with Image.open(path) as image:
            image.load()


def test_nyu_in_millimetres(tmp_path):
    rng = np.random.default_rng(0)
    pixels, values = (rng.integers(0, 255, shape, np.uint8) for shape in ((20, 30, 3), (20, 30)))
    values[5:9, 4:12] = 255
    (tmp_path / "nyu/d").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "nyu/d/0.png")
    Image.fromarray(values).save(tmp_path / "nyu/d/1.png")
    (tmp_path / "nyu/nyu2_train.csv").write_text("d/0.png,d/1.png\n")
    output = complete(tmp_path / "nyu", tmp_path / "out", dataset="nyu")
    written = np.asarray(Image.open(output / "d/1.png"))
    metres = completion.complete(pixels, np.where(values == 255, 0, values / 25.5))
    np.testing.assert_allclose(written, metres * 1000, atol=0.51)


def cut_image(tum):
    path = tum / "rgb/1.png"
    path.write_bytes(path.read_bytes()[:-200])
    return path, "cannot be read"


def bytes_for_depth(tum):
    path = tum / "depth/2.png"
    Image.fromarray(np.ones((24, 40), np.uint8)).save(path)
    return path, "must be a grey PNG of 16 bits"


def other_size(tum):
    path = tum / "depth/1.png"
    Image.fromarray(np.ones((12, 20), np.uint16)).save(path)
    return path, "depth must have the image's size"


def nothing_measured(tum):
    path = tum / "depth/0.png"
    Image.fromarray(np.zeros((24, 40), np.uint16)).save(path)
    return path, "every pixel is missing"


def gone(tum):
    path = tum / "rgb/3.png"
    path.unlink()
    return path, "No such file"


@pytest.mark.parametrize("spoil", [cut_image, bytes_for_depth, other_size, nothing_measured, gone])
def test_bad_frames(tum, tmp_path, capsys, spoil):
    path, says = spoil(tum)
    with pytest.raises(InputError, match=f"^{path}: .*{says}"):
        complete(tum, tmp_path / "out")
    complete(tum, tmp_path / "out", skip=True)
    captured = capsys.readouterr()
    assert f"skipped 1 bad examples:\n  {path}: " in captured.err
    assert sorted(results(tmp_path / "out")) == sorted(
        f"depth/{number}.png" for number in range(4) if str(number) != path.stem
    )


def test_failing_worker(tum, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(completion, "complete", fail)
    failure = MemoryError()
    with pytest.raises(InputError, match="depth/0.png: too little memory; try fewer --workers"):
        complete(tum, tmp_path / "out")
    failure = ZeroDivisionError()
    with pytest.raises(RuntimeError, match="depth/0.png: could not be completed"):
        complete(tum, tmp_path / "out")
    assert not (tmp_path / "out/depth").exists()


def test_mistakes(tum, tmp_path):
    output = complete(tum, tmp_path / "out")
    with pytest.raises(InputError, match="holds depth completed with other options .*blend.*keep"):
        complete(tum, output, known_pixels="keep")
    (output / "completion.json").write_text("{")
    with pytest.raises(InputError, match="cannot be used"):
        complete(tum, output)
    for inside in (tum, tum / "new"):
        with pytest.raises(InputError, match="lies in the data set; give another folder"):
            complete(tum, inside)
    with pytest.raises(InputError, match="--dataset=folder: holds no files of depth"):
        complete(tum / "rgb", output, dataset="folder")
    with pytest.raises(InputError, match="depth/4.png: lies outside of"):
        lines = (tum / "associations.txt").read_text().replace("depth/", f"{tum}/depth/")
        (tmp_path / "other").mkdir()
        (tmp_path / "other/associations.txt").write_text(lines.replace("rgb/", f"{tum}/rgb/"))
        complete(tmp_path / "other", tmp_path / "new", split="validation")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: cannot be used .Not a directory"):
        complete(tum, tmp_path / "file")
