"""Messages on one line."""

from tfdepthviz.utils.errors import one_line


def test_one_line():
    assert one_line(ValueError("a\n  b\tc ")) == "a b c"
    assert one_line(ValueError("a\n  b\tc "), 3) == "a b"
    assert one_line("a\nb") == "a b"
    assert one_line("\x1b[31mred\x1b[0m \x1b]0;a\x07 \u202ereversed") == "red ?]0;a? ?reversed"


def test_exception_without_text_is_named_by_its_type():
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert one_line("") == ""
