import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from library.tabular import clean_line, clean_text, quoted


def test_line_has_single_spaces_and_no_control_characters():
    assert clean_line("  The\u3000old\x07\n man\t and\r\nthe sea\x00 ") == "The old man and the sea"


def test_text_keeps_lines_with_lf_breaks():
    assert clean_text("one\r\ntwo\rthree\n\nfour\x0b\x1b[31m ") == "one\ntwo\nthree\n\nfour[31m"


def test_combining_characters_are_composed():
    assert clean_line("Cafe\u0301") == "Caf\u00e9"


@given(st.text())
def test_cleaning_is_idempotent(text):
    for clean in (clean_text, clean_line):
        once = clean(text)
        assert clean(once) == once
        assert unicodedata.is_normalized("NFC", once)
        assert once == once.strip()
        assert not any(
            unicodedata.category(character) in ("Cc", "Cs")
            for character in once.replace("\n", "").replace("\t", "")
        )


@given(st.text())
def test_quoted_value_is_one_short_line(text):
    shown = quoted(text)
    assert len(shown) <= 62
    assert len(shown.splitlines()) == 1
