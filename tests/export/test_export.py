"""Versions of a SavedModel: written whole or not at all, counted, never replaced."""

import json
import pathlib

import export_by_hand as by_hand
import numpy as np
import pytest
import tensorflow as tf
from stable_ops import STABLE_OPS, ops_saved_in

from tfdepthviz import export
from tfdepthviz.data import samples
from tfdepthviz.export.signatures import MAPS
from tfdepthviz.utils.errors import InputError

PHOTO = pathlib.Path(samples.files("validation").images[0])


def test_graph_has_long_stable_ops_only(exported):
    assert ops_saved_in(exported) - STABLE_OPS == set()


def test_a_version_is_a_folder_with_the_card_and_warm_up_requests(exported):
    assert exported.name == "1" and [path.name for path in exported.parent.iterdir()] == ["1"]
    extra = exported / "assets.extra"
    assert {path.name for path in extra.iterdir()} == {"card.json", "tf_serving_warmup_requests"}
    card = json.loads((extra / "card.json").read_text("utf-8"))
    assert card.items() >= by_hand.CARD.items()


def test_explain_file_gives_the_maps_of_a_photograph(exported):
    got = export.explain_file(exported, PHOTO)
    shapes = {name: value.shape for name, value in got.items()}
    assert shapes == {**dict.fromkeys(MAPS, (*by_hand.SIZE, 1)), "sparseness": ()}
    assert all(np.isfinite(value).all() for value in got.values())
    assert got["sparseness"] == pytest.approx(got["binary_mask"].mean())


def test_explain_file_names_what_it_cannot_read(tiny_nets, tmp_path):
    version = export.export_savedmodel(*tiny_nets, tmp_path / "model", card={})
    (tmp_path / "notes.txt").write_text("no image")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(PHOTO.read_bytes()[:5000])
    for path in (tmp_path / "notes.txt", cut, tmp_path / "absent.jpg", tmp_path):
        with pytest.raises(InputError, match=path.name):
            export.explain_file(version, path)
    with pytest.raises(InputError, match="model: expected the folder of one"):
        export.explain_file(version.parent, PHOTO)


def test_versions_count_up_and_are_never_replaced(tiny_nets, tmp_path):
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
def test_an_export_that_stops_leaves_nothing(tiny_nets, tmp_path, monkeypatch, stop):
    save = tf.saved_model.save

    def save_and_stop(module, path, **options):
        save(module, path, **options)
        assert [p.name for p in tmp_path.rglob("saved_model.pb")] == ["saved_model.pb"]
        raise stop

    monkeypatch.setattr(tf.saved_model, "save", save_and_stop)
    (tmp_path / "old").mkdir()
    for base in (tmp_path / "old", tmp_path / "new"):
        with pytest.raises(type(stop)):
            export.export_savedmodel(*tiny_nets, base, card={})
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


def test_wrong_arguments_get_one_line_before_anything_is_written(tiny_nets, nets, tmp_path):
    (tmp_path / "file").write_text("")
    right = {"base_path": tmp_path / "model", "card": {}}
    for networks, wrong, message in [
        ((tiny_nets[0], nets[1]), {}, "mask_net must map .* Received: .*64, 96"),
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
