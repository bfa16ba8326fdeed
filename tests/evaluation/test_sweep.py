"""Tables and pictures of a sweep from figures written by hand."""

import numpy as np
import pytest

from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.reports import html as page
from tfdepthviz.reports import ranking_report, sweep_figures

RATED = ("mask", "binary_mask", "sobel", "random")


def table(first, sparseness, truth=True, kind="metric"):
    """Content of table.json, as evaluation.write_table writes it; errors count up from `first`."""
    rows = [{"row": "image", "rmse": 0.5 if truth else None, "fidelity_rmse": 0.0}]
    rows[0]["sparseness"] = 1.0
    for number, row in enumerate(RATED):
        error = first + number / 10
        rmse = error if truth else None
        rows.append({"row": row, "rmse": rmse, "fidelity_rmse": error / 2})
        rows[-1]["sparseness"] = sparseness
    about = {"images": 7, "threshold": 0.025, "depth_kind": kind}
    return {**about, "rows": rows}


@pytest.fixture
def sweep():
    return sweeps.gather({1.0: table(0.6, 0.9), 1.5: table(0.7, 0.4)})


def test_table_has_the_papers_columns(sweep):
    (title, headings, rows), accuracy, fidelity = sweeps.tables(sweep)
    assert title == ""
    assert headings == [
        *("lambda", "RMSE(M)", "RMSE(M')", "sparseness"),
        *("paper: RMSE(M)", "paper: RMSE(M')", "paper: sparseness"),
    ]
    assert rows == [
        ["original", "0.500", "0.500", "1.000", "0.555", "0.555", "1.000"],
        ["1", "0.600", "0.700", "0.900", "0.605", "0.568", "0.920"],
        ["1.5", "0.700", "0.800", "0.400", "", "", ""],
    ]
    assert accuracy[1] == fidelity[1] == ["lambda", "M", "M'", "edges", "random"]
    assert accuracy[2][0] == ["original", "0.500", "0.500", "", ""]
    assert fidelity[2][1] == ["1", "0.300", "0.350", "0.400", "0.450"]
    text = sweeps.format_sweep(sweep)
    assert text.splitlines()[1].split()[:2] == ["original", "0.500"]
    markdown = sweeps.format_sweep(sweep, "markdown").splitlines()
    first = markdown[: markdown.index("")]
    assert len({line.count("|") for line in first}) == 1 and set(markdown[1]) == set("|-: ")


def test_published_ratio_of_lambda_5():
    # The binarised mask of lambda 5 costs 0.758 / 0.555 = 1.37 times the error of whole images.
    assert sweeps.PUBLISHED[5.0][1] / sweeps.PUBLISHED[None][1] == pytest.approx(1.37, abs=0.005)
    sparseness = [values[2] for values in sweeps.PUBLISHED.values()]
    assert sparseness == sorted(sparseness, reverse=True)


def test_curves_with_and_without_ground_truth(sweep):
    with_truth = sweep_figures.curves(sweep)
    assert with_truth.dtype == np.uint8 and with_truth.shape[1] > 1000
    other = sweeps.gather({0.4: table(0.6, 0.4, False, "inverse")})
    assert not other.has_truth
    assert sweep_figures.curves(other).shape[1] == 560
    (_, headings, _), (title, *_) = sweeps.tables(other)
    assert headings[:2] == ["lambda", "sparseness"] and title == "fidelity: RMSE against N(I), σ"


def test_frame_has_a_column_for_each_value(sweep):
    rng = np.random.default_rng(0)
    masks = [rng.random((6, 8, 1)), np.zeros((6, 8, 1))]
    depths = [rng.uniform(1, 3, (3, 4, 1)) for _ in range(3)]
    picture = sweep_figures.frame(sweep, rng.random((6, 8, 3)), masks, depths[0], depths[1:])
    one = sweep_figures.frame(
        sweeps.gather({1.0: table(0.6, 0.9)}),
        *(rng.random((6, 8, 3)), masks[:1], depths[0], depths[1:2]),
    )
    assert picture.shape[1] - one.shape[1] == 228 and picture.shape[0] == one.shape[0]


def test_page_escapes_its_texts(tmp_path):
    parts = [page.table(["<a>", "b"], [["x", "1 & 2"]]), "", page.paragraph("p", "small")]
    page.write_page(tmp_path / "page.html", "1 < 2", parts)
    text = (tmp_path / "page.html").read_text()
    assert "<h1>1 &lt; 2</h1>" in text and "&lt;a&gt;" in text and "1 &amp; 2" in text


def share_summary(low):
    """The parts of a summary that a verdict reads; `low` moves the difference to edges."""
    figure = {"value": low + 0.1, "low": low, "high": low + 0.2}
    behind = {"value": 1, "low": 0.5, "high": 2}
    rows = [("M'", 0.5), ("sobel", 0.6), ("mean_map", 0.7)]
    return {
        "shares": [0.2],
        "images": 20,
        "unit": "m",
        "against": {"M'": {"sobel": [figure], "mean_map": [behind]}},
        "curves": [
            {
                **{"method": method, "view": "insert", "share": 0.2},
                "fidelity_rmse": {"value": value},
            }
            for method, value in rows
        ],
    }


@pytest.mark.parametrize(
    ("low", "says"),
    [
        (-0.3, "M' is ahead of Sobel edges, each interval clear of 0."),
        (-0.15, "not ahead for certain of Sobel edges (-0.050 [-0.150, +0.050] m)."),
        (0.05, "M' does not beat Sobel edges (+0.150 [+0.050, +0.250] m) and mean map"),
    ],
)
def test_verdict_by_interval(low, says):
    text = ranking_report.verdict(share_summary(low), "M'", 0.2)
    assert text.startswith("At 20 % of the pixels, M' leaves N 0.500 m from N(I).")
    assert says in text and "does not beat" in text


def test_no_verdict_below_20_images():
    text = ranking_report.verdict(share_summary(-0.3) | {"images": 19}, "M'", 0.2)
    assert text.endswith("N(I). 19 images are too few for certainty; take at least 20.")
    assert "ahead" not in text


def test_verdict_ahead_of_all():
    summary = share_summary(-0.3)
    del summary["against"]["M'"]["mean_map"]
    text = ranking_report.verdict(summary, "M'", 0.2)
    assert text.endswith("M' is ahead of every control, each interval clear of 0.")
