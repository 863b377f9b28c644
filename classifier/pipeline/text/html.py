"""Text as people read it: descriptions come with the mark-up of web pages."""

import re
from html import unescape

_TAG = re.compile(r"<[^<>]{1,200}>")


def without_markup(text: str) -> str:
    """Return text with a space for each tag and the character for each reference.

    Examples
    --------
    >>> without_markup("<b>salt</b> &amp; pepper")
    ' salt  & pepper'
    """
    return _TAG.sub(" ", unescape(text))
