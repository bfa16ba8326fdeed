"""The notebooks, executed."""

import pathlib
import re

import nbclient
import nbformat
import pytest

pytestmark = pytest.mark.slow

NOTEBOOKS = pathlib.Path(__file__).resolve().parents[2] / "notebooks"


def outputs(cell):
    """Type of content -> content, of the results of a cell."""
    return {
        kind: content for output in cell.outputs for kind, content in output.get("data", {}).items()
    }


def executed(name, folder):
    """The code cells of a notebook, executed in a folder."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] for cell in code)  # a notebook with outputs is megabytes
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    return code


def test_quickstart(tmp_path):
    _, _, picture, share, table = executed("quickstart.ipynb", tmp_path)
    assert "image/png" in outputs(picture)
    assert outputs(share)["text/plain"].startswith("(0.19999")  # 13862 of 69312 pixels
    assert "<td>binary_mask</td>" in outputs(table)["text/html"]
    assert outputs(table)["text/plain"].startswith("Evaluation(2 images: image, mask, binary_mask")


def test_pytorch(tmp_path, monkeypatch):
    for package in ("torch", "onnxscript"):
        pytest.importorskip(package, reason="NO PYTORCH: notebooks/pytorch.ipynb was not executed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, convert, _, picture = executed("pytorch.ipynb", tmp_path)
    printed = "".join(output.get("text", "") for output in convert.outputs)
    assert re.search("depth .*gradient", printed), printed
    assert "image/png" in outputs(picture)
