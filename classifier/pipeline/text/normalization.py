"""Normalise text, so that spellings of the same word are equal."""

import re
import unicodedata

from classifier.pipeline.text.html import strip_markup
from classifier.pipeline.text.script import fold_script

#: Accents, among them ligature ties in romanised Russian; and characters that are invisible within a word:
#: soft hyphens, joiners, marks of direction, variation selectors.
REMOVED = re.compile(
    "[\u0300-\u036f\ufe20-\ufe2f\u00ad\u200c-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe00-\ufe0f\ufeff"
    "\U000e0100-\U000e01ef]+"
)


def normalize(text: str) -> str:
    """Return text without markup and accents, NFKC, in lower case and in simplified Chinese characters.

    Examples
    --------
    >>> normalize("<b>Économie</b> &amp; 經濟")
    ' economie  & 经济'
    """
    text = strip_markup(text)
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", text).lower()  # "℡" has a lower case only once decomposed
    return fold_script(unicodedata.normalize("NFC", REMOVED.sub("", text)))
