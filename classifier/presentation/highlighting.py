"""A book's own words with those marked that spoke for a category, and against it."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

#: Fields whose text a page shows.
FIELDS = ("title", "subtitle", "authors", "publisher", "description")


def marked(record: Any, evidence: dict[str, Any]) -> dict[str, SafeString]:
    """Return the text of each of `FIELDS`, with the words of the evidence marked.

    Parameters
    ----------
    record : Book
    evidence : dict
        As a suggestion keeps it; of an empty one nothing is marked.

    Returns
    -------
    dict
        Safe HTML by field. A word counts in the field it is named with, whatever its case and accents.
    """
    terms = evidence.get("terms", {})
    return {
        field: _marked(
            getattr(record, field),
            [word for name, word, _gain in terms.get("for", ()) if name == field],
            [word for name, word, _gain in terms.get("against", ()) if name == field],
        )
        for field in FIELDS
    }


def _marked(text: str, good: Iterable[str], bad: Iterable[str]) -> SafeString:
    sides = {_pattern(word): "for" for word in good} | {_pattern(word): "against" for word in bad}
    titles = {"for": _("speaks for it"), "against": _("speaks against it")}
    return format_html_join(
        "",
        "{}",
        (
            (
                format_html('<mark class="{}" title="{}">{}</mark>', side, titles[side], piece)
                if side
                else piece,
            )
            for piece, side in _pieces(text, sides)
        ),
    )


def _pieces(text: str, sides: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the text piece by piece, each with the side it is on, or none."""
    if not sides:
        yield text, ""
        return
    folded, places = _folded(text)
    # Of two that begin at one place the longer: "coral reefs" before "coral".
    longest = sorted(sides, key=len, reverse=True)
    done = 0
    for found in re.finditer("|".join(f"({pattern})" for pattern in longest), folded):
        start, stop = places[found.start()], places[found.end()]
        yield text[done:start], ""
        yield text[start:stop], sides[longest[(found.lastindex or 1) - 1]]
        done = stop
    yield text[done:], ""


def _pattern(word: str) -> str:
    """Return the pattern of a word, or of two in a row with whatever stands between them but letters."""
    parts = r"[\W_]*".join(re.escape(part) for part in word.split())
    # Chinese has no spaces; of other writing only whole words are meant.
    before = "" if _is_han(word[0]) else r"(?<![^\W_])"
    after = "" if _is_han(word[-1]) else r"(?![^\W_])"
    return f"{before}{parts}{after}"


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff"


def _folded(text: str) -> tuple[str, list[int]]:
    """Return text in the spelling of the evidence, and where each of its characters stands in the text."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        for plain in unicodedata.normalize("NFKD", letter).lower():
            if not unicodedata.combining(plain):
                letters.append(plain)
                places.append(place)
    return "".join(letters), [*places, len(text)]
