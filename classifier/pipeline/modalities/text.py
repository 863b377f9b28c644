"""Text: what title, authors, publisher and description say.

A book becomes five groups of TF-IDF weighted terms, each of unit length: words of every field, words of
the title once more (a title names the subject, a description also praises), character n-grams of the
short fields, whole author names, and the whole publisher name. Which field a term stands in is evidence.
Chinese descriptions are read as characters and bigrams too, because segmentation errs.
"""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from html import unescape
from itertools import chain
from typing import Any, Self

import jieba
import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from classifier.pipeline.config import Config, TextConfig
from classifier.pipeline.modality import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.records import BookRecord, Bool, Catalogue, Float32
from classifier.pipeline.stopwords import STOP_WORDS

jieba.setLogLevel(logging.WARNING)

_TAG = re.compile(r"<[^<>]{1,200}>")
_ACCENT = re.compile(r"[\u0300-\u036f\ufe20-\ufe2f]+")  # the latter: ties over letters in romanised Russian
_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_WEIGHTS = {"word": 1.5, "title": 0.7, "gram": 1.2, "author": 0.7, "publisher": 0.7}
"""Length of each group's row: names are strong evidence but drown a description at full length."""
_NAMES = re.compile(r"[;、/|&]| and ")


def clean(text: str) -> str:
    """Return text without mark-up, in one spelling: NFKC, lower case, no accents.

    Examples
    --------
    >>> clean("<b>Économie</b> &amp; droit")
    ' economie  & droit'
    """
    text = _TAG.sub(" ", unescape(text))
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", text).lower()  # "℡" has no lower case before it is taken apart
    return unicodedata.normalize("NFC", _ACCENT.sub("", text))


def words(text: str) -> list[str]:
    """Return the words of cleaned text without stop words; Chinese is segmented by jieba.

    Examples
    --------
    >>> words("the history of 中国历史")
    ['history', '中国', '历史']
    """
    found: list[str] = []
    for run in _WORD.findall(text):
        found.extend(jieba.cut(run) if _HAN.search(run) else (run,))
    return [word for word in found if word not in STOP_WORDS]


def grams(word: str, *, smallest: int, largest: int) -> list[str]:
    """Return the character n-grams of a word, its ends marked; of a Chinese one characters and bigrams.

    Examples
    --------
    >>> grams("art", smallest=3, largest=4)
    ['<ar', 'art', 'rt>', '<art', 'art>']
    """
    if _HAN.search(word):
        return [*word, *(word[i : i + 2] for i in range(len(word) - 1))]
    marked = f"<{word}>"
    return [marked[i : i + n] for n in range(smallest, largest + 1) for i in range(len(marked) - n + 1)]


class TermGroup:
    """TF-IDF over one group of terms, with sublinear counts and rows of length `weight`."""

    def __init__(self, *, min_books: int, max_terms: int, weight: float) -> None:
        self.min_books = min_books
        self.max_terms = max_terms
        self.weight = np.float32(weight)
        self.index: dict[str, int] = {}
        self.idf: Float32 = np.empty(0, np.float32)

    def fit(self, books: Iterable[list[str]]) -> sp.csr_matrix:
        """Learn the terms and their weights; return the weighted rows of the same books."""
        self.index = {}
        counts = self._count(books, grow=True)
        found = np.bincount(counts.indices, minlength=counts.shape[1])  # books a term, (n_terms,)
        kept = np.flatnonzero(found >= self.min_books)
        if len(kept) > self.max_terms:
            kept = np.sort(kept[np.argsort(-found[kept], kind="stable")[: self.max_terms]])
        terms = list(self.index)
        self.index = {terms[j]: i for i, j in enumerate(kept)}
        self.idf = (np.log((1 + counts.shape[0]) / (1 + found[kept])) + 1).astype(np.float32)
        return self._weigh(counts[:, kept])

    def transform(self, books: Iterable[list[str]]) -> sp.csr_matrix:
        """Return the weighted rows of books, (n_books, n_terms); unknown terms are left out."""
        return self._weigh(self._count(books, grow=False))

    def _count(self, books: Iterable[list[str]], *, grow: bool) -> sp.csr_matrix:
        index, starts, columns, counts = self.index, [0], [], []
        for terms in books:
            for term, count in Counter(terms).items():
                column = index.get(term)
                if column is None:
                    if not grow:
                        continue
                    column = index[term] = len(index)
                columns.append(column)
                counts.append(count)
            starts.append(len(columns))
        return sp.csr_matrix(
            (np.array(counts, np.float32), np.array(columns, np.int32), np.array(starts, np.int64)),
            shape=(len(starts) - 1, len(index)),
        )

    def _weigh(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        if 0 in counts.shape:
            return counts
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        return normalize(counts, copy=False) * self.weight


class TextModality(Modality):
    """Weighted terms of a book's text fields."""

    name = "text"

    def __init__(self, *, settings: TextConfig) -> None:
        self.settings = settings
        self.groups = {
            name: TermGroup(min_books=settings.min_books, max_terms=settings.max_terms, weight=weight)
            for name, weight in _WEIGHTS.items()
        }

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.text)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        self.fit_block(catalogue, rng=rng)
        return self

    def fit_block(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Block:
        books = [self._terms(book) for book in catalogue.books]
        values = self._stack([group.fit([b[name] for b in books]) for name, group in self.groups.items()])
        return self._block(values)

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="sparse", shape=(sum(len(group.index) for group in self.groups.values()),))

    @property
    def terms(self) -> list[str]:
        """The name of each column, ``group:term``."""
        return [f"{name}:{term}" for name, group in self.groups.items() for term in group.index]

    def transform(self, catalogue: Catalogue) -> sp.csr_matrix:
        books = [self._terms(book) for book in catalogue.books]
        return self._stack([group.transform([b[n] for b in books]) for n, group in self.groups.items()])

    def present(self, catalogue: Catalogue) -> Bool:
        return self.block(catalogue).present

    def block(self, catalogue: Catalogue) -> Block:
        return self._block(self.transform(catalogue))

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return (
            {name: list(group.index) for name, group in self.groups.items()},
            {name: group.idf for name, group in self.groups.items()},
        )

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        for name, group in self.groups.items():
            group.index = {term: i for i, term in enumerate(values[name])}
            group.idf = tensors[name]
        return self

    def _block(self, values: sp.csr_matrix) -> Block:
        # Text without a known term says as little as none: mark-up only, say, or a language new here.
        return Block(values=values, present=np.diff(values.indptr) > 0, spec=self.spec)

    def _terms(self, book: BookRecord) -> dict[str, list[str]]:
        title = words(clean(f"{book.title} {book.subtitle}"))
        # A Chinese comma divides names, a Latin one stands inside them; cleaning makes them one.
        authors, publisher = clean(book.authors.replace("，", ";")), clean(book.publisher)
        author_words, publisher_words = words(authors), words(publisher)
        description = words(clean(book.description))
        short = list(chain(title, author_words, publisher_words))
        return {
            "word": short + description,
            "title": title,
            "gram": list(
                chain.from_iterable(map(self._grams, chain(short, filter(_HAN.search, description))))
            ),
            "author": [name.strip() for name in _NAMES.split(authors) if name.strip()],
            "publisher": [" ".join(publisher_words)] if publisher_words else [],
        }

    def _grams(self, word: str) -> list[str]:
        return grams(word, smallest=self.settings.gram_min, largest=self.settings.gram_max)

    @staticmethod
    def _stack(groups: list[sp.csr_matrix]) -> sp.csr_matrix:
        return sp.hstack(groups, format="csr", dtype=np.float32)
