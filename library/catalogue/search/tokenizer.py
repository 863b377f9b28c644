"""Text as it is searched: folded, and cut into tokens that both databases take as they are.

Words between spaces are tokens. Chinese has none, so a run of its characters is cut into overlapping pairs
and its last character: 光学原理 becomes 光学 学原 原理 理. Then a phrase is a row of tokens, a part of a
run is found wherever it stands, and a single character is what a token begins with.
"""

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from stdnum import isbn

_HAN = "\u3005\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(f"(?P<han>[{_HAN}]+)|(?:(?![{_HAN}])[^\\W_])+")
_ACCENTS = re.compile("[\u0300-\u036f]")
#: Letters that are no letter with an accent to Unicode, but are typed as if they were.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"}
)
#: A longer one is no word, and PostgreSQL takes none of 2 KB.
LONGEST_TOKEN = 60


class Run(NamedTuple):
    """Letters and digits in a row, all of them Chinese (or Japanese) or none."""

    text: str
    is_han: bool


def folded(text: str) -> str:
    """Return a text without what a reader would not type: case, accents, widths, traditional characters."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", text)).translate(_LETTERS)
    return text if text.isascii() else text.translate(_simplified())


def runs(text: str) -> list[Run]:
    """Return the runs of a folded text in order."""
    return [Run(found[0], found["han"] is not None) for found in _RUNS.finditer(text)]


def tokens(text: str) -> list[str]:
    """Return the tokens of a folded text in order."""
    return [token for run in runs(text) for token in (grams(run.text) if run.is_han else [cut(run.text)])]


def grams(run: str) -> list[str]:
    """Return the overlapping pairs of a run's characters, and its last character."""
    return [run[at : at + 2] for at in range(len(run))]


def cut(token: str) -> str:
    """Return a token, or the beginning of one that is too long."""
    return token[:LONGEST_TOKEN]


def squeezed(text: str) -> str:
    """Return a folded text without spaces and punctuation, as whole titles and numbers are compared."""
    return "".join(run.text for run in runs(text))


def isbn13(text: str) -> str | None:
    """Return the 13 digits of a squeezed text that is an ISBN of 10 or 13, and None of any other."""
    return isbn.to_isbn13(text) if isbn.is_valid(text) else None


def han_words(run: str) -> list[str]:
    """Return the words of a run of Chinese, segmented by jieba."""
    return list(_segmenter()(run))


@cache
def _segmenter() -> Callable[[str], Iterator[str]]:
    # Imported here: its dictionary takes a second and 100 MB, which only Chinese is worth.
    import jieba

    jieba.setLogLevel(logging.WARNING)
    return jieba.cut


@cache
def _simplified() -> dict[int, str]:
    # Imported here: its dictionaries are of no use to a command's --help.
    from opencc import OpenCC

    # Character by character: a query must not turn out differently for what stands beside it in a title.
    known = [chr(code) for first, end in ((0x3400, 0xA000), (0x20000, 0x323B0)) for code in range(first, end)]
    converted = OpenCC("t2s").convert("\n".join(known)).split("\n")
    return {ord(old): new for old, new in zip(known, converted, strict=True) if old != new}
