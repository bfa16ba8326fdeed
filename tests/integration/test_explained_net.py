"""Explained network: read from the run that trained G, and refused where flags contradict it."""

import json
import shutil
import zipfile

import keras
import pytest
import tiny_nets

from tfdepthviz.utils.errors import InputError
from trainers.cli.explained_net import explained, input_size_of, mask_net_of
from trainers.cli.target import Target
from trainers.engine.run_record import MEMBER, recorded, write_record

RUN = {
    "depth_net": "my_net.py:build",
    "depth_kind": "inverse",
    "depth_input": "unit",
    "input_size": [64, 96],
    "mask_net": "compact",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Function (name, options) -> the file of weights in a run's folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").touch()

    def write(name="mask", **options):
        folder = tmp_path / name
        folder.mkdir()
        config = {"command": "train_mask", "options": RUN | options}
        (folder / "config.json").write_text(json.dumps(config))
        return str(folder / "mask_net.keras")

    return write


def target(**options):
    return Target(**{"depth_net": None} | options)


def test_n_and_g_are_those_of_the_run(run):
    file = run()
    net, size = explained([file], target())
    assert net == Target("my_net.py:build", None, "inverse", "unit") and size == (64, 96)
    assert mask_net_of(file) == "compact"


def test_the_same_in_other_words(run, tmp_path):
    file = run(depth_output="0", depth_signature="serving_default")
    place = f"{tmp_path}/my_net.py:build"
    net, _ = explained([file], target(depth_net=place, depth_kind="inverse"), (64, 96))
    assert net.depth_net == place and net.depth_input == "unit"


@pytest.mark.parametrize(
    ("flags", "size", "says"),
    [
        ({"depth_net": "compact"}, None, "--depth_net=compact: .* trained with my_net.py:build"),
        ({"depth_kind": "metric"}, None, "--depth_kind=metric: .* trained with inverse"),
        ({"depth_input": "bytes"}, None, "--depth_input=bytes: .* trained with unit"),
        ({"depth_weights": "nyu"}, None, "--depth_weights=nyu"),
        ({"depth_output": "depth"}, None, "--depth_output=depth"),
        ({}, (32, 48), "--input_size=32,48: .* trained with 64,96"),
    ],
)
def test_contradictions_are_refused(run, flags, size, says):
    with pytest.raises(InputError, match=says):
        explained([run()], target(**flags), size)


def test_another_g(run):
    with pytest.raises(InputError, match="--mask_net=drn_d_22: .* was trained with compact"):
        mask_net_of(run(), "drn_d_22")


def test_masks_of_two_networks(run):
    files = [run(), run("other", depth_kind="relative")]
    with pytest.raises(InputError, match="--depth_kind=inverse, .*other.* with relative"):
        explained(files, target())
    assert explained([files[0], run("third")], target())[0].depth_kind == "inverse"


def test_without_a_run(tmp_path):
    file = str(tmp_path / "mask_net.keras")
    assert explained([file], target()) == (Target(), None)
    assert explained([file], target(depth_net="fcrn_resnet50"), (32, 48)) == (
        Target("fcrn_resnet50"),
        (32, 48),
    )
    assert mask_net_of(file) == "compact_ranking" and mask_net_of(file, "compact") == "compact"


def test_the_g_of_the_package():
    assert explained(["default"], target())[0].depth_net == "compact"
    with pytest.raises(
        InputError, match="--depth_net=hu_resnet50: needs a G that was trained for it"
    ):
        explained(["default"], target(depth_net="hu_resnet50"))


@pytest.fixture
def copy(tmp_path):
    """Function (options) -> a .keras file of G with a record, outside of any run's folder."""

    def write(**options):
        path = tmp_path / "copied" / "g.keras"
        path.parent.mkdir(exist_ok=True)
        tiny_nets.mask_net().save(path)
        write_record(path, recorded(RUN | options))
        return str(path)

    return write


def test_a_copied_file_names_its_run(copy):
    net, size = explained([copy(depth_net="compact")], target())
    assert net == Target("compact", None, "inverse", "unit") and size == (64, 96)
    assert mask_net_of(copy()) == "compact"
    assert keras.models.load_model(copy()).count_params() == tiny_nets.mask_net().count_params()


def test_code_of_a_copied_file_is_not_run(copy):
    with pytest.raises(InputError, match="--depth_net: .*g.keras was trained with my_net.py:build"):
        explained([copy(depth_net="somewhere/my_net.py:build")], target())


def test_n_of_a_copied_file_has_its_name(copy):
    file = copy(depth_net="somewhere/my_net.py:build")
    net, _ = explained([file], target(depth_net="elsewhere/my_net.py:build"))
    assert (net.depth_net, net.depth_kind) == ("elsewhere/my_net.py:build", "inverse")
    with pytest.raises(InputError, match="--depth_net=my_net.py:other: .* with my_net.py:build"):
        explained([file], target(depth_net="my_net.py:other"))
    with pytest.raises(InputError, match="--depth_kind=metric: .* with inverse"):
        explained([file], target(depth_net="my_net.py:build", depth_kind="metric"))


def test_a_file_of_another_run_in_a_folder(run, copy):
    file = run(depth_net="compact", depth_kind=None, depth_input=None)
    shutil.copy(copy(depth_net="hu_resnet50", depth_weights="n.pth"), file)
    with pytest.raises(InputError, match="--depth_net=compact: .* trained with hu_resnet50"):
        explained([file], target(depth_net="compact"))


@pytest.mark.parametrize(
    "record", ["{", "[]", '{"depth_net": 3}', '{"input_size": [1]}', "{" * 99999]
)
def test_damaged_record(copy, record):
    file = copy()
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(MEMBER, record)
    assert explained([file], target()) == (Target(), None)


def test_sizes_of_masks_of_two_networks(run):
    files = [run(), run("other", depth_net="compact")]
    assert input_size_of(files) == (64, 96)
    with pytest.raises(InputError, match="--input_size=32,48: .* trained with 64,96"):
        input_size_of(files, (32, 48))
