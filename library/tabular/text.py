"""Clean text before it is stored."""

import re
import unicodedata
from typing import cast

from django.db.models import CharField, Model

# Control characters except tab and line feed, and lone surrogates.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
#: Characters of a bad value that a message shows.
_MAX_SHOWN = 60


def clean_text(text: str) -> str:
    """Return text without control characters, with LF line breaks, in Unicode form C."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return unicodedata.normalize("NFC", text).strip()


def clean_line(text: str) -> str:
    """Return `clean_text` on one line, with each run of white space as one space: a title or a name."""
    return " ".join(clean_text(text).split())


def quoted(text: str) -> str:
    """Return a bad value for a message: cleaned, because it may reach a terminal, and shortened."""
    text = clean_line(text)
    return f'"{text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"}"'


def max_length(model: type[Model], field: str) -> int:
    """Return the maximum number of characters of a field."""
    return cast("CharField[str, str]", model._meta.get_field(field)).max_length or 0
