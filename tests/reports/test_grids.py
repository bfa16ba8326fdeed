"""Grids of pictures: the place of each picture is read from the pixels of the grid."""

import numpy as np
import pytest

from tfdepthviz.reports import grids
from tfdepthviz.utils.errors import InputError

COLOURS = [[(200, 0, 0), (0, 200, 0), None], [(0, 0, 200), (200, 200, 0), (0, 200, 200)]]


def pictures():
    return [
        [None if c is None else np.broadcast_to(np.uint8(c), (6, 10, 3)) for c in row]
        for row in COLOURS
    ]


def box(picture, colour):
    """First and last row and column of a colour."""
    rows, columns = np.nonzero((picture == colour).all(axis=-1))
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_rows_and_columns():
    grid = grids.grid(pictures(), ["a", "b", "c"], ["1", "2"], width=50)
    boxes = {colour: box(grid, colour) for row in COLOURS for colour in row if colour}
    for top, bottom, left, right in boxes.values():
        # 10 x 6 pixels drawn 50 wide are 30 high, to the pixel.
        assert (bottom - top + 1, right - left + 1) == (30, 50)
    for row in COLOURS:
        assert len({boxes[colour][:2] for colour in row if colour}) == 1
    for column in zip(*COLOURS, strict=True):
        assert len({boxes[colour][2:] for colour in column if colour}) == 1
    assert boxes[200, 0, 0][1] < boxes[0, 0, 200][0]
    assert boxes[200, 0, 0][3] < boxes[0, 200, 0][2]
    # Titles are above, labels left of the pictures; between the pictures all is white.
    top, _, left, _ = boxes[200, 0, 0]
    assert grid[:top].min() < 100 and grid[top:, :left].min() < 100
    assert grid[boxes[200, 0, 0][1] + 1 : boxes[0, 0, 200][0]].min() == 255


def test_no_labels():
    with_labels, without = (
        grids.grid(pictures(), ["a", "b", "c"], labels, width=50) for labels in (["1", "2"], None)
    )
    assert without.shape[1] < with_labels.shape[1] and without.shape[0] == with_labels.shape[0]


def test_texts_below_pictures():
    texts = [["", "one\ntwo", ""], ["x", "", ""]]
    plain, grid = (
        grids.grid(pictures(), ["a", "b", "c"], width=50, feet=feet) for feet in (None, texts)
    )
    assert len(grid) == len(plain) + 2 * 2 * grids.LINE
    for row, colours in enumerate(COLOURS):
        for column, colour in enumerate(colours):
            if colour:
                _, bottom, left, right = box(grid, colour)
                below = grid[bottom + 1 : bottom + 2 * grids.LINE, left : right + 1]
                assert (below.min() < 100) == bool(texts[row][column])


@pytest.mark.parametrize("rows", [[], [[None, None]]])
def test_no_picture(rows):
    with pytest.raises(InputError, match="at least one picture"):
        grids.grid(rows, ["a", "b"])


def test_rows_of_another_length():
    with pytest.raises(InputError, match="grid of 2 columns.*Received: 3, 3"):
        grids.grid(pictures(), ["a", "b"])
