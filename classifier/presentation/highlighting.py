"""Highlight the terms of a book that count for or against a category."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from classifier.pipeline.evidence import Evidence
from classifier.pipeline.text.normalization import REMOVED
from classifier.pipeline.text.script import fold_script
from library.catalogue.models import Book

#: Fields that a page shows.
FIELDS = ("title", "subtitle", "authors", "publisher", "description")


def highlight(book: Book, evidence: Evidence | None) -> dict[str, SafeString]:
    """Return the text of each of `FIELDS` as safe HTML, with the terms of the evidence marked.

    A term is marked in its own field only, regardless of case, accents and Chinese script.
    """
    terms_for = evidence.terms_for if evidence else ()
    terms_against = evidence.terms_against if evidence else ()
    return {
        field: _highlight(
            getattr(book, field),
            [term.term for term in terms_for if term.field == field],
            [term.term for term in terms_against if term.field == field],
        )
        for field in FIELDS
    }


def _highlight(text: str, terms_for: Iterable[str], terms_against: Iterable[str]) -> SafeString:
    sides = {_pattern(term): "for" for term in terms_for}
    sides |= {_pattern(term): "against" for term in terms_against}
    titles = {"for": _("Supports this category"), "against": _("Counts against this category")}
    return format_html_join(
        "",
        "{}",
        (
            (
                format_html('<mark class="{}" title="{}">{}</mark>', side, titles[side], piece)
                if side
                else piece,
            )
            for piece, side in _segments(text, sides)
        ),
    )


def _segments(text: str, sides: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield segments of the text, each with its side; empty for unmarked text."""
    if not sides:
        yield text, ""
        return
    folded, positions = _folded(text)
    # The longest match wins: "coral reefs" before "coral".
    longest = sorted(sides, key=len, reverse=True)
    done = 0
    for match in re.finditer("|".join(f"({pattern})" for pattern in longest), folded):
        start, stop = positions[match.start()], positions[match.end()]
        yield text[done:start], ""
        yield text[start:stop], sides[longest[(match.lastindex or 1) - 1]]
        done = stop
    yield text[done:], ""


def _pattern(term: str) -> str:
    """Return the pattern of a term; only non-letters may separate its words."""
    parts = r"[\W_]*".join(re.escape(part) for part in unicodedata.normalize("NFKD", term).split())
    # Chinese has no spaces; other scripts match whole words only.
    before = "" if _is_han(term[0]) else r"(?<![^\W_])"
    after = "" if _is_han(term[-1]) else r"(?![^\W_])"
    return f"{before}{parts}{after}"


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff"


def _folded(text: str) -> tuple[str, list[int]]:
    """Return text normalised as in the evidence, and the original position of each character."""
    simplified = fold_script(text)
    if len(simplified) == len(text):  # else positions would not match
        text = simplified
    letters: list[str] = []
    positions: list[int] = []
    for position, letter in enumerate(text):
        for plain in unicodedata.normalize("NFKD", letter).lower():
            if not REMOVED.match(plain):
                letters.append(plain)
                positions.append(position)
    return "".join(letters), [*positions, len(text)]
