"""The report of an evaluation, read back with Python's HTML parser, its pictures with Pillow."""

import base64
import dataclasses
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tfdepthviz import evaluation
from tfdepthviz.reports import evaluation_report, wording
from tfdepthviz.utils.errors import InputError

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Collects text, pictures and table cells; fails unless every element is closed."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.attributes, self.cells, self.images = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes.extend((tag, *attribute) for attribute in attrs)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1][-1] += data


def result(fidelity, truth=True, images=20, spread=0.0):
    """An Evaluation; `spread` makes every other image worse, and the rest better, for M'."""
    rows, per_image = [], []
    for row, distance in fidelity.items():
        figures = dict.fromkeys(evaluation.COLUMNS, 0.5 if truth else float("nan"))
        figures |= {"row": row, "fidelity_rmse": distance, "sparseness": 0.25}
        rows.append(figures)
        for image in range(images):
            error = distance**2
            if row == "binary_mask":
                error += spread if image % 2 else -spread
            per_image.append({**figures, "image": image, "fidelity_rmse": error**0.5})
    rated = images if truth else 0
    return evaluation.Evaluation(tuple(rows), tuple(per_image), images, rated, 0.025, (0,))


ALL = {
    **{"image": 0.0, "mask": 0.3, "binary_mask": 0.4, "sobel": 0.6, "blurred_edges": 0.55},
    **{"random": 0.8, "random_blocks": 0.9, "untrained": 0.7, "mean_map": 0.65},
}


def written(path, **changes):
    picture = np.random.default_rng(0).integers(0, 256, (20, 31, 3), "uint8")
    options = {
        "title": "Compact & <fast>",
        "table": result(ALL),
        "strips": [("frame 1 <b>\"'", picture), ("frame 2", picture[:, ::-1])],
        "curves": picture[:10],
        "commands": [("Train", "python -m trainers.train_mask --workdir=a && echo 'b'")],
        "notes": ["<script>alert(1)</script>"],
    }
    evaluation_report.write_report(path, **(options | changes))
    return picture, Page(path.read_text("utf-8"))


def test_page_is_escaped_and_self_contained(tmp_path):
    picture, page = written(tmp_path / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    text = "".join(page.text)
    for piece in (
        "Compact & <fast>",
        "<script>alert(1)</script>",
        "--workdir=a && echo 'b'",
        "tensorflow 2.",
        *wording.LIMITS,
        wording.QUESTION,
    ):
        assert piece in text
    tags = {tag for tag, *_ in page.attributes}
    assert not tags & {"script", "link", "iframe", "object"}
    for _, name, value in page.attributes:
        if name in ("src", "href"):
            assert value.startswith("data:image/png;base64,")
    assert "http" not in text and "url(" not in text
    images = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(i["src"].partition(",")[2]))))
        for i in page.images
    ]
    for got, expected in zip(images, [picture, picture[:, ::-1], picture[:10]], strict=True):
        np.testing.assert_array_equal(got, expected)
    assert page.images[0]["alt"] == "frame 1 <b>\"'"


def test_table_and_its_guide(tmp_path):
    _, page = written(tmp_path / "report.html")
    assert len(page.cells) == 1 + len(evaluation.ROWS)
    names = [wording.ROW_GUIDE[row][0] for row in evaluation.ROWS]
    assert [line[0] for line in page.cells[1:]] == names
    assert page.cells[3][1:4] == ["25.0%", "0.400", "0.500"]
    assert set(wording.ROW_GUIDE) == set(evaluation.ROWS)
    assert set(wording.COLUMN_GUIDE) == set(evaluation.COLUMNS)
    assert "above 0.025 are kept unchanged" in "".join(page.text)


def test_no_ground_truth(tmp_path):
    _, page = written(tmp_path / "r.html", table=result(ALL, truth=False), curves=None, strips=[])
    assert all(len(line) == 3 for line in page.cells)
    assert page.images == [] and "nan" not in "".join(page.text)


@pytest.mark.parametrize(
    "changes, options, words",
    [
        (
            {},
            {},
            '"as many pixels near edges", comes within 0.550 m. The difference is -0.150 m, with a '
            "95% interval from -0.150 to -0.150. So the mask's pixels tell the network more than "
            "those of every control.",
        ),
        ({"mean_map": 0.41}, {"spread": 0.15}, "The interval reaches 0, so the mask may be no"),
        ({"mean_map": 0.3}, {}, '"the mean map, no pixels", comes within 0.300 m. The difference'),
        ({"mean_map": 0.3}, {}, "does not show what the network needs"),
        ({}, {"images": 1}, "On 1 image the binarised mask"),
        ({}, {"images": 1}, "The difference is -0.150 m. 1 image is too few for certainty"),
        ({}, {"images": 19}, "19 images are too few for certainty; take at least 20."),
    ],
)
def test_verdict_against_controls(changes, options, words):
    text = wording.verdict(result(ALL | changes, **options))
    assert words in text and "keeps 25.0% of the pixels" in text and "within 0.400 m" in text


def test_verdict_needs_every_interval():
    table = result(ALL)
    # The mean map, not the best control, is far off on a few images and perfect on the others.
    changed = [
        {**r, "fidelity_rmse": 2.0 if r["image"] < 3 else 0.0} if r["row"] == "mean_map" else r
        for r in table.per_image
    ]
    text = wording.verdict(dataclasses.replace(table, per_image=tuple(changed)))
    assert "But the intervals of other controls reach 0" in text and "more than" not in text
    assert wording.ROW_GUIDE["mean_map"][0] in text


def test_binarisation_gap(tmp_path):
    table = dataclasses.replace(result(ALL), mask_entropy=0.125)
    text = "".join(written(tmp_path / "r.html", table=table)[1].text)
    assert "Binarisation gap: +0.100 m" in text and "0.125 bits a pixel" in text
    assert wording.binarisation(result({"image": 0.0})) == ""


def test_verdict_without_mask():
    assert "0.500 m" in wording.verdict(result({"image": 0.0}))
    assert "without ground truth" in wording.verdict(result({"image": 0.0}, truth=False))


def test_pictures_must_be_bytes(tmp_path):
    with pytest.raises(InputError, match="float64"):
        written(tmp_path / "r.html", curves=np.zeros((3, 4, 3)))
