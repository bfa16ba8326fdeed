"""Explained network: read from the run that trained G, and refused where flags contradict it."""

import json

import pytest

from tfdepthviz.utils.errors import InputError
from trainers.cli.explained_net import explained, mask_net_of
from trainers.cli.target import Target

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
