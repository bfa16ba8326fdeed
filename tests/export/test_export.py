"""Versions of a SavedModel: written whole or not at all, counted, never replaced."""

import dataclasses
import json
import pathlib
import shutil

import export_by_hand as by_hand
import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz import export
from tfdepthviz.data import samples
from tfdepthviz.export.signatures import MAPS
from tfdepthviz.serving.client import ServingError
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.errors import InputError

PHOTO = pathlib.Path(samples.files("validation").images[0])


def test_version_folder(warmed):
    assert warmed.name == "1" and [path.name for path in warmed.parent.iterdir()] == ["1"]
    extra = warmed / "assets.extra"
    assert {path.name for path in extra.iterdir()} == {"card.json", "tf_serving_warmup_requests"}
    card = json.loads((extra / "card.json").read_text("utf-8"))
    assert card.items() >= by_hand.CARD.items()


def test_photograph_in_a_local_model(warmed):
    answer = dataclasses.asdict(LocalModel(warmed).explain(PHOTO.read_bytes()))
    shapes = {name: np.shape(value) for name, value in answer.items()}
    assert shapes == {**dict.fromkeys(MAPS, (8, 12)), "sparseness": (), "covered": ()}
    assert all(np.isfinite(value).all() for value in answer.values())
    assert answer["sparseness"] == pytest.approx(answer["binary_mask"].mean())


def test_local_model_names_what_it_cannot_read(warmed):
    model = LocalModel(warmed)
    for contents in (b"no image", PHOTO.read_bytes()[:5000]):
        with pytest.raises(ServingError, match=str(warmed)) as caught:
            model.explain(contents)
        assert caught.value.status == 400 and "\n" not in str(caught.value)
    base_path = warmed.parent
    with pytest.raises(InputError, match=f"{base_path.name}: expected the folder of one"):
        LocalModel(base_path)


def test_versions_count_up_and_stay(tiny_nets, tmp_path):
    base = tmp_path / "new" / "model"

    def export_version(version=None):
        return export.export_savedmodel(
            *tiny_nets, base, card={"of": str(version)}, version=version, warmup=False
        )

    assert export_version(5) == base / "5"
    (base / "007").mkdir()
    (base / "notes").mkdir()
    assert export_version() == base / "8"
    for version in (5, 7):
        with pytest.raises(InputError, match=f"{version}: this version exists .* is 9"):
            export_version(version)
    extra = base / "5" / "assets.extra"
    assert [path.name for path in extra.iterdir()] == ["card.json"]
    assert json.loads((extra / "card.json").read_text())["of"] == "5"
    assert sorted(path.name for path in base.iterdir()) == ["007", "5", "8", "notes"]


@pytest.mark.parametrize("stop", [OSError("no space left on device"), KeyboardInterrupt()])
def test_stopped_export_leaves_nothing(tiny_nets, warmed, tmp_path, monkeypatch, stop):
    def save_and_stop(module, path, **options):
        # All files of a model: saving one takes seconds.
        shutil.copytree(warmed, path, dirs_exist_ok=True)
        assert [p.name for p in tmp_path.rglob("saved_model.pb")] == ["saved_model.pb"]
        raise stop

    monkeypatch.setattr(tf.saved_model, "save", save_and_stop)
    (tmp_path / "old").mkdir()
    for base in (tmp_path / "old", tmp_path / "new"):
        with pytest.raises(type(stop)):
            export.export_savedmodel(*tiny_nets, base, card={})
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_wrong_arguments_write_nothing(tiny_nets, tmp_path):
    (tmp_path / "file").write_text("")
    right = {"base_path": tmp_path / "model", "card": {}}
    larger = by_hand.tiny_nets((64, 96))
    for networks, wrong, message in [
        ((tiny_nets[0], larger[1]), {}, "mask_net must map .* Received: .*64, 96"),
        ((tiny_nets[0], tiny_nets[0]), {}, "mask_net must map .* to masks"),
        (tiny_nets, {"card": {"weights": tmp_path}}, "card must be .* PosixPath"),
        (tiny_nets, {"card": {"rmse": float("nan")}}, "card must be .* JSON"),
        (
            tiny_nets,
            {"card": {"weights": "mine", "versions": 1}},
            "card: versions, weights is fill",
        ),
        (tiny_nets, {"weights_dtype": "int8"}, "weights_dtype must be one of .* Received: 'int8'"),
        (tiny_nets, {"version": 0}, "version must be .* Received: 0"),
        (tiny_nets, {"version": "2"}, "version must be .* Received: '2'"),
        (tiny_nets, {"base_path": tmp_path / "file"}, "must be a folder of versions"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            export.export_savedmodel(*networks, **{**right, **wrong})
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
