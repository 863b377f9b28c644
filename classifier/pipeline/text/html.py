"""Strip HTML markup from descriptions."""

import re
from html import unescape

_TAG = re.compile(r"<[^<>]{1,200}>")


def strip_markup(text: str) -> str:
    """Return text with a space for each tag and the character for each entity.

    Examples
    --------
    >>> strip_markup("<b>salt</b> &amp; pepper")
    ' salt  & pepper'
    """
    return _TAG.sub(" ", unescape(text))
