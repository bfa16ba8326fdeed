"""notebooks/quickstart.ipynb, executed."""

import pathlib

import nbclient
import nbformat

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "notebooks/quickstart.ipynb"


def outputs(cell):
    """Type of content -> content, of the results of a cell."""
    return {
        kind: content for output in cell.outputs for kind, content in output.get("data", {}).items()
    }


def test_quickstart():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] for cell in code)  # a notebook with outputs is megabytes
    nbclient.NotebookClient(notebook, timeout=600).execute()
    _, _, picture, share, table = code
    assert "image/png" in outputs(picture)
    assert outputs(share)["text/plain"].startswith("(0.19999")  # 13862 of 69312 pixels
    assert "<td>binary_mask</td>" in outputs(table)["text/html"]
    assert outputs(table)["text/plain"].startswith("Evaluation(2 images: image, mask, binary_mask")
