"""A JSON parser for values that the database can store."""

from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DEPTH = 32
"""Requests of the API are only a few levels deep. JSON decoders recurse once per level."""


class StrictJSONParser(JSONParser):
    """Refuse text that the database cannot store, and excessive nesting."""

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
    for _depth in range(MAX_DEPTH):
        if not level:
            return
        level = [child for value in level for child in _children(value)]
    if level:
        raise _too_deep()


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        for name, child in value.items():
            _check_text(name)
            yield child


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ParseError(_("Strings must not contain the character U+0000."))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError(_("Strings must not contain unpaired surrogates.")) from error


def _too_deep() -> ParseError:
    return ParseError(
        _("Lists and objects must not be nested deeper than %(depth)s levels.") % {"depth": MAX_DEPTH}
    )
