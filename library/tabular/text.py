"""Text as the catalogue keeps it."""

import re
import unicodedata
from typing import cast

from django.db.models import CharField, Model

# Control characters but for tab and line feed, and the halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
#: As much of a bad value as a message shows.
_SHOWN = 60


def clean_text(text: str) -> str:
    """Return running text without control characters, with one kind of line break, in Unicode form C."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return unicodedata.normalize("NFC", text).strip()


def clean_line(text: str) -> str:
    """Return a title or a name: `clean_text`, with any run of white space as one space."""
    return " ".join(clean_text(text).split())


def quoted(text: str) -> str:
    """Return a bad value for a message: cleaned, since it may be shown on a terminal, and not too long."""
    text = clean_line(text)
    return f'"{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"}"'


def longest(model: type[Model], field: str) -> int:
    """Return how many characters a field takes."""
    return cast("CharField[str, str]", model._meta.get_field(field)).max_length or 0
