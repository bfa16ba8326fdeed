"""Messages on one line."""

from tfdepthviz.utils.errors import one_line


def test_one_line():
    assert one_line(ValueError("a\n  b\tc ")) == "a b c"
    assert one_line(ValueError("a\n  b\tc "), 3) == "a b"
    assert one_line("a\nb") == "a b"


def test_exception_without_text_is_named_by_its_type():
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert one_line("") == ""
