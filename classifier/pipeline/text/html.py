"""Strip HTML markup from descriptions."""

import re
from html import unescape

#: A tag begins with a letter, "/" or "!". A longer one than 200 characters has attributes, for example an
#: image's data: two distant comparison signs are not a tag. A group is set if the content is not text.
_TAG = re.compile(
    r"<(?:(!--)|!\[CDATA\[|(script|style)(?=[\s/>])[^<>]*>|[/?]?[a-z][^<>]{0,199}>|![^<>]{0,200}>"
    r"""|[a-z][a-z0-9]*\s+[a-z-]+=["'][^<>]*>)""",
    re.IGNORECASE | re.ASCII,
)
_END = {
    "!--": re.compile("--!?>"),
    "script": re.compile(r"</script(?=[\s/>])[^<>]*>", re.IGNORECASE),
    "style": re.compile(r"</style(?=[\s/>])[^<>]*>", re.IGNORECASE),
}


def strip_markup(text: str) -> str:
    """Return text with a space for each tag, comment, script and style, and the character for each entity.

    Examples
    --------
    >>> strip_markup("<b>salt</b> &amp; pepper at < 0 °C <style>b {color: red}</style>")
    ' salt  & pepper at < 0 °C  '
    """
    text = unescape(text)
    parts, start = [], 0
    unclosed: set[str] = set()  # a missing end is searched for once, however many beginnings there are
    while tag := _TAG.search(text, start):
        parts.append(text[start : tag.start()])
        start = tag.end()
        element = (tag[1] or tag[2] or "").lower()
        if element and element not in unclosed:
            if end := _END[element].search(text, start):
                start = end.end()
            else:
                unclosed.add(element)
    return " ".join([*parts, text[start:]])
