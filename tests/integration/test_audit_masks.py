"""audit_masks as a user runs it, with an evaluator that train_evaluator trained."""

import csv
import json
import shutil

import commands
import pytest
import tiny_nets
from PIL import Image

from tfdepthviz.evaluation import audit
from tfdepthviz.export import CARD_FILE
from tfdepthviz.utils.errors import InputError
from trainers import audit_masks, explain, export_savedmodel, train_evaluator


@pytest.fixture
def copied(finished_run, tiny_networks, tmp_path):
    """Flags of the data, and weights of a copy of the run."""
    options, folder = finished_run
    shutil.copytree(folder, tmp_path / "run")
    data = {name: options[name] for name in ("dataset", "data_dir")}
    return data, str(tmp_path / "run/mask_net.keras")


def audited(data, weights, **options):
    usual = {"resamples": 20, "batch_size": 2, "split": "validation"}
    return commands.run(audit_masks, **data, mask_weights=weights, **usual | options)


def test_whole_way(copied, tmp_path, monkeypatch, capsys):
    data, weights = copied
    training = {"depth_net": "tiny", "depth_weights": "random", "input_size": tiny_nets.SIZE}
    folder = commands.run(
        train_evaluator, **data, **training, batch_size=2, epochs=1, workdir=str(tmp_path / "n_e")
    )
    assert "val_fidelity/pixels_36" in (folder / "history.csv").read_text()
    more = {"evaluator": str(folder / "evaluator.keras"), "seed_masks": weights}
    content = audited(data, weights, **more, sanity_masks=weights)
    out = tmp_path / "run/audit"
    assert json.loads((out / "audit.json").read_text()) == content
    assert set(content["tests"]) == set(audit.TESTS)
    # The data set has too few images for any verdict.
    few = len(content["places"])
    assert few < 20 and {t["verdict"] for t in content["tests"].values()} == {audit.UNCLEAR}
    assert content["grade"] == audit.NOT_AUDITED
    with open(out / "per_image.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["figure"] == "square"]
    mean = sum(float(row["value"]) for row in rows) / few
    distance = content["tests"]["controls"]["figures"]["distance"]["value"]
    assert len(rows) == few and mean**0.5 == pytest.approx(distance)
    page = (out / "audit.html").read_text()
    # Two frames, a figure for each test, what N saw in two of them.
    assert (
        "too few for certainty" in page
        and page.count("<img") == 2 + len(audit.TESTS) + 2
        and "<script" not in page
    )
    assert {f"{name}.png" for name in audit.TESTS} < {path.name for path in out.iterdir()}
    # A second time nothing is measured, with other networks the tests that they decide.
    monkeypatch.setattr(audit, "run_test", None)
    assert audited(data, weights, **more, sanity_masks=weights) == content
    capsys.readouterr()


def test_kept_results_bind(copied, tmp_path):
    data, weights = copied
    path = tmp_path / "run/audit/tests/swap.json"
    first = audited(data, weights, tests=("swap",))
    assert first["grade"] == audit.NOT_AUDITED and set(first["tests"]) == {"swap"}
    key = json.loads(path.read_text())["key"]
    audited(data, weights, tests=("swap",), share=0.2)
    assert json.loads(path.read_text())["key"] != key
    path.write_text("{")
    assert audited(data, weights, tests=("swap",)) == first


def test_grade_on_card_and_page(copied, tmp_path):
    data, weights = copied
    exported = {"savedmodel_dir": str(tmp_path / "m"), "max_images": 0, "warmup": False}
    version = commands.run(export_savedmodel, mask_weights=weights, **exported)
    assert json.loads((version / CARD_FILE).read_text())["audit"] == {"grade": "not audited"}
    audited(data, weights, tests=("swap", "flat_fill"))
    path = tmp_path / "run/audit/audit.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"grade": "B"}))
    version = commands.run(export_savedmodel, mask_weights=weights, **exported)
    card = json.loads((version / CARD_FILE).read_text())["audit"]
    assert (card["grade"], set(card["tests"])) == ("B", {"swap", "flat_fill"})
    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 32)).save(photo)
    for number, flags in enumerate(({"mask_weights": weights}, {"savedmodel": str(version)})):
        out = tmp_path / f"explained{number}"
        commands.run(explain, str(photo), output_dir=str(out), **flags)
        assert json.loads((out / "results.json").read_text())["audit"] == "B"
        assert "Audit of these masks: grade B" in (out / "index.html").read_text()
    # Another removal is another claim.
    flags = {"mask_weights": weights, "removal": "black", "output_dir": str(tmp_path / "black")}
    commands.run(explain, str(photo), **flags)
    assert "These masks are not audited" in (tmp_path / "black/index.html").read_text()


def test_wrong_flags(copied):
    data, weights = copied
    with pytest.raises(InputError, match="--tests=evaluator: needs --evaluator"):
        audited(data, weights, tests=("evaluator",))
    with pytest.raises(InputError, match="--evaluator=nowhere.keras: no such file"):
        audited(data, weights, tests=("evaluator",), evaluator="nowhere.keras")
    with pytest.raises(InputError, match="--output_dir: needs a folder"):
        audited(data, "default", tests=("swap",))
