"""Text tables: columns align, and wide tables fit a terminal."""

from tfdepthviz.utils.tables import text_table


def test_alignment():
    assert text_table(["row", "b c"], [["first", "1"], ["x", "22.5"]]) == (
        "row     b c\nfirst     1\nx      22.5\n"
    )


def test_wide_headings_are_stacked():
    headings = ["share", *(f"a control of number {number}" for number in range(10))]
    text = text_table(headings, [["20 %", *["0.500"] * 10]])
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100 and len(lines) == 6
    words = zip(*(line.rjust(1).split() for line in lines[:4]), strict=True)
    assert [" ".join(column) for column in words] == ["a control of number"] * 10
    assert lines[4].split() == ["share", *map(str, range(10))]
