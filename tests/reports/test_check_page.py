"""Page of a check: pictures of frames, tables, and the page as a browser parses it."""

import html.parser

import numpy as np
import pytest

from tfdepthviz.data.survey import Frame
from tfdepthviz.reports import check_page


def frame(**figures):
    values = dict(
        zip(Frame.__dataclass_fields__, ["train", "a.jpg", 64, 48, 0.4, 0.2], strict=False)
    )
    return Frame(**{**values, "valid": 0.5, "low": 1.0, "median": 2.0, "high": 4.0} | figures)


def example(size, colour, metres=0.0):
    image = np.full((*size, 3), colour, np.uint8)
    return {"image": image, "depth": np.full((*size, 1), metres, np.float32)}


def test_portrait_is_not_stretched():
    red = (255, 0, 0)
    _, picture = check_page.draw_frames([example((60, 30), red)], ["a.jpg"], [[]])
    rows, columns = np.nonzero((picture == red).all(-1))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (180, 90)


def test_names_stand_in_the_caption_alone(recwarn):
    names = ["日本.jpg", "$a_b$.jpg", "\udcff.jpg"]
    frames = [example((48, 64), (9, 9, 9), metres) for metres in (1.0, 2.0, 3.0)]
    caption, _ = check_page.draw_frames(frames, names, [["median depth 1 m (usual: 2 m)"], [], []])
    assert caption.startswith(
        "1: 日本.jpg; 2: $a_b$.jpg; 3: \udcff.jpg. Depth: bright is 1 m, dark"
    )
    assert not recwarn.list


def test_rows_of_the_tables():
    frames = [
        frame(),
        frame(width=48, height=64, valid=0.3),
        frame(low=None, median=None, high=None),
    ]
    row = check_page.split_row("train", frames, 1234, 2, 0.5)
    assert row == (
        "train",
        "1,234",
        "3",
        "2",
        "64x48 (2), 48x64 (1)",
        "2 landscape, 1 portrait",
        "50%",
    )
    assert check_page.depth_row("train", frames)[1:] == ("2", "43.3%", "2 m", "1 m", "4 m")
    rated = dict.fromkeys(check_page.ERRORS, 0.25) | {"rmse": float("nan")}
    assert check_page.error_row("N", rated) == ("N", "", *6 * ("0.250",))


@pytest.mark.parametrize("count", [1, 5])
def test_depth_range(count):
    picture = check_page.draw_depth_range({"train": count * [frame()], "validation": []})
    assert picture.shape == (300, 1000, 3) and len(np.unique(picture.reshape(-1, 3), axis=0)) > 5
    assert check_page.draw_depth_range({"train": [frame(median=None)]}) is None


def test_page(tmp_path):
    picture = np.zeros((4, 4, 3), np.uint8)
    sections = {
        "Frames": check_page.Section(["<n> frames"], ("", "frames"), [("train", "3")]),
        "Pictures": check_page.Section(pictures=[("\udcff.jpg", picture)]),
    }
    path = tmp_path / "report.html"
    check_page.write_page(
        path,
        title="Check",
        verdict="3 frames.",
        findings=["a < b"],
        sections=sections,
        commands=[("go on", "run --x='1'")],
    )
    texts = []
    parser = html.parser.HTMLParser()
    parser.handle_data = texts.append
    parser.feed(path.read_text("utf-8"))
    shown = [text.strip() for text in texts if text.strip()]
    for text in ("3 frames.", "a < b", "<n> frames", "train", r"\udcff.jpg", "run --x='1'"):
        assert text in shown
