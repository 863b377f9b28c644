"""Segment Chinese text into words with jieba and the library's own dictionary.

The dictionary belongs to the process, not to a model: it takes effect at once in training and classification.
A model ignores the words that it has not learned, until the next training. A dictionary per model would take
a segmenter of 100 MB for each version in memory.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from classifier.pipeline.text.dictionary import Entry, read_dictionary
from classifier.pipeline.text.normalization import normalize

_entries: Sequence[Entry] = ()


def use_dictionary(path: Path | None) -> None:
    """Segment with the words of a file from now on; None: with jieba's own words only.

    The file is read at once, jieba's dictionary at the first segmentation.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a line is malformed.
    """
    global _entries
    _entries = () if path is None else read_dictionary(path)
    _segmenter.cache_clear()


def dictionary_key() -> str:
    """Return a hash of the dictionary in use; empty without one."""
    return sha256(repr(sorted(set(_entries), key=repr)).encode()).hexdigest() if _entries else ""


def segment(text: str) -> Iterator[str]:
    """Return the words of a normalised Chinese text."""
    return _segmenter()(text)


@cache
def _segmenter() -> Callable[[str], Iterator[str]]:
    # Imported here: its dictionary takes a second and 100 MB, and only Chinese text needs it.
    import jieba

    jieba.setLogLevel(logging.WARNING)
    if not _entries:
        return jieba.cut  # type: ignore[no-any-return]
    segmenter = jieba.Tokenizer()
    for word, frequency in _entries:
        # Spelled like the text to segment: simplified, in lower case.
        segmenter.add_word(normalize(word), frequency)
    return segmenter.cut  # type: ignore[no-any-return]
