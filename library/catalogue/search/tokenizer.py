"""Fold text for search, and split it into tokens that both databases accept unchanged.

Words between spaces are tokens. Chinese has no spaces, so a run of its characters is split into overlapping
pairs and its last character: 光学原理 becomes 光学 学原 原理 理. A phrase is then a sequence of tokens, any
part of a run can be found, and a single character is the prefix of a token.
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
#: Letters that Unicode does not decompose, but that people type without their strokes.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"}
)
#: Characters. Longer tokens are not words, and PostgreSQL refuses lexemes of 2 KB.
MAX_TOKEN_LENGTH = 60


class Run(NamedTuple):
    """A sequence of letters and digits, all of them Chinese (or Japanese) or none."""

    text: str
    is_han: bool


def fold(text: str) -> str:
    """Remove differences that searchers ignore: case, accents, widths, traditional characters."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", text)).translate(_LETTERS)
    return text if text.isascii() else text.translate(_simplified())


def runs(text: str) -> list[Run]:
    """Return the runs of a folded text in order."""
    return [Run(match[0], match["han"] is not None) for match in _RUNS.finditer(text)]


def tokenize(text: str) -> list[str]:
    """Return the tokens of a folded text in order."""
    return [
        token for run in runs(text) for token in (bigrams(run.text) if run.is_han else [truncate(run.text)])
    ]


def bigrams(run: str) -> list[str]:
    """Return the overlapping pairs of a run's characters, and its last character."""
    return [run[at : at + 2] for at in range(len(run))]


def truncate(token: str) -> str:
    """Return a token, truncated if it is too long."""
    return token[:MAX_TOKEN_LENGTH]


def squeeze(text: str) -> str:
    """Return a folded text without spaces and punctuation, as whole titles and numbers are compared."""
    return "".join(run.text for run in runs(text))


def to_isbn13(text: str) -> str | None:
    """Return a squeezed ISBN of 10 or 13 digits as 13 digits; None if the text is not an ISBN."""
    return isbn.to_isbn13(text) if isbn.is_valid(text) else None


def segment_han(run: str) -> list[str]:
    """Return the words of a run of Chinese, segmented by jieba."""
    return list(_segmenter()(run))


@cache
def _segmenter() -> Callable[[str], Iterator[str]]:
    # Imported here: its dictionary takes a second and 100 MB, and only Chinese text needs it.
    import jieba

    jieba.setLogLevel(logging.WARNING)
    return jieba.cut


@cache
def _simplified() -> dict[int, str]:
    # Imported here: a command's --help does not need its dictionaries.
    from opencc import OpenCC

    # Character by character: the result for a query must not depend on its context in a title.
    characters = [
        chr(code) for first, end in ((0x3400, 0xA000), (0x20000, 0x323B0)) for code in range(first, end)
    ]
    converted = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    return {ord(old): new for old, new in zip(characters, converted, strict=True) if old != new}
