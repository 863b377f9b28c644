"""JSON as the database can hold it."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

DEEPEST = 32
"""No request of the API is deeper than a handful; what reads JSON calls itself for each level."""


class StrictJSONParser(JSONParser):
    """Refuse what would fail later: text that no database keeps, and nests without end."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise _too_deep() from error
        _check(data)
        return data


def _check(data: Any) -> None:
    level = [data]
    for _depth in range(DEEPEST):
        if not level:
            return
        level = [below for value in level for below in _within(value)]
    if level:
        raise _too_deep()


def _within(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        for name, below in value.items():
            _check_text(name)
            yield below


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ParseError(_("A text has the character U+0000, which cannot be kept."))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError(_("A text has half of a surrogate pair, which is no character.")) from error


def _too_deep() -> ParseError:
    return ParseError(_("Lists and objects are nested deeper than %(depth)s levels.") % {"depth": DEEPEST})
