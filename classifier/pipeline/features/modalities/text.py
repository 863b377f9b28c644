"""Text modality: title, authors, publisher and description.

Groups of TF-IDF weighted terms: words of every field (evidence by itself), title words once more (a title
states the subject, a description also advertises), word pairs, character n-grams of title and names, prefixes
and suffixes of description words, whole author and publisher names.
The tokenized books are cached; the rest is arithmetic on counts. N-grams are computed once per distinct word.
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import Config, TextConfig
from classifier.pipeline.features.base import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.features.cache import content_key, source_key
from classifier.pipeline.records import BookRecord, Bool, Catalogue, Float64, Int32
from classifier.pipeline.text import html, normalization, script, segmentation, tokenization
from classifier.pipeline.text.normalization import normalize
from classifier.pipeline.text.segmentation import dictionary_key
from classifier.pipeline.text.stopwords import STOP_WORDS
from classifier.pipeline.text.term_matrix import (
    CsrRows,
    Ngrams,
    TermMatrixBuilder,
    TermPositions,
    Vocabulary,
    word_pairs,
)
from classifier.pipeline.text.terms import TermGroups, WordCredits, credit_words
from classifier.pipeline.text.tokenization import affixes, char_ngrams, tokenize

_WEIGHTS = {
    "word": 1.5, "title": 0.7, "pair": 1.0, "title gram": 1.0, "name gram": 0.8, "stem": 1.0,
    "author": 0.7, "publisher": 0.7,
}  # fmt: skip
"""Length of each group's row: names are strong evidence but at full length they drown a description."""
_GROUPS_OF_SOURCE = (
    ("word", "title", "title gram"),
    ("word", "name gram"),
    ("word", "name gram"),
    ("word", "stem"),
    ("pair",),
    ("pair",),
    ("author",),
    ("publisher",),
)
"""Column groups that count each source: words of title, authors, publisher and description; word pairs of
title and description; whole names of authors and publisher."""
_NAMES = re.compile(r"[;、/|&]| and ")
_SOURCE_KEY = source_key(
    sys.modules[__name__],
    tokenization,
    html,
    normalization,
    script,
    segmentation,
    versions=(version("jieba"), version("opencc"), unicodedata.unidata_version, *sorted(STOP_WORDS)),
)
_UTF8 = ("utf-8", "surrogatepass")  # a catalogue may contain lone surrogates
_BATCH = 2000  # books whose words are in memory as strings at a time
_SMALL_CATALOGUE = 5_000  # books
_MIN_CACHED = 16  # tokenizing fewer books is faster than reading the cache


class TextModality(Modality):
    """Weighted terms of a book's text fields."""

    name = "text"

    def __init__(self, *, settings: TextConfig) -> None:
        self.settings = settings
        self.groups = TermGroups(_WEIGHTS, max_terms=settings.max_terms)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.text)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        self.fit_block(catalogue, rng=rng)
        return self

    def fit_block(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Block:
        min_books = self.settings.min_books or (1 if len(catalogue.books) < _SMALL_CATALOGUE else 2)
        terms = self._extract(catalogue, min_count=min_books)
        columns = np.arange(sum(map(len, terms.by_group.values())), dtype=np.int32)
        counts = terms.matrix_builder(columns).matrix(columns, shape=(len(catalogue.books), len(columns)))
        return self._block(self.groups.fit(counts, terms.by_group, min_books=min_books))

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="sparse", shape=(len(self.groups),))

    @property
    def terms(self) -> list[str]:
        """Return the name of each column, ``group:term``."""
        return [f"{name}:{term}" for name, index in self.groups.index.items() for term in index]

    def transform(self, catalogue: Catalogue) -> sp.csr_matrix:
        return self.block(catalogue).values

    def present(self, catalogue: Catalogue) -> Bool:
        return self.block(catalogue).present

    def block(self, catalogue: Catalogue) -> Block:
        terms = self._extract(catalogue)
        columns = self.groups.columns(terms.by_group)
        counts = terms.matrix_builder(columns).matrix(columns, shape=(len(catalogue.books), len(self.groups)))
        return self._block(self.groups.weigh(counts))

    def block_and_words(self, catalogue: Catalogue) -> tuple[Block, WordCredits]:
        terms = self._extract(catalogue)
        columns = self.groups.columns(terms.by_group)
        builder = terms.matrix_builder(columns)
        counts = builder.matrix(columns, shape=(len(catalogue.books), len(self.groups)))
        words = credit_words(counts, terms.sources, builder, columns)
        return self._block(self.groups.weigh(counts)), words

    def unknown_words(self, books: Sequence[BookRecord]) -> Float64:
        """Return the share of each book's words outside the vocabulary, (n_books,); NaN without words."""
        vocabulary = self.groups.index["word"]
        shares = np.full(len(books), np.nan)
        for row, line in enumerate(self._tokenized(books)):
            *fields, _names = line.split("\n")
            if words := " ".join(fields).split():
                shares[row] = np.mean([word not in vocabulary for word in words])
        return shares

    def state(self) -> tuple[dict[str, Any], Tensors]:
        state = self.groups.state()
        return {name: terms for name, (terms, _) in state.items()}, {
            name: idf for name, (_, idf) in state.items()
        }

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.groups.load_state({name: (values[name], tensors[name]) for name in _WEIGHTS})
        return self

    def _block(self, values: sp.csr_matrix) -> Block:
        # Text without a known term carries no information: markup only, or an unknown language.
        return Block(values=values, present=np.diff(values.indptr) > 0, spec=self.spec)

    def _extract(self, catalogue: Catalogue, *, min_count: int = 1) -> "_Terms":
        vocabulary = Vocabulary()
        fields = [CsrRows(vocabulary) for _ in range(4)]
        author, publisher = CsrRows(Vocabulary()), CsrRows(Vocabulary())
        for line in self._tokenized(catalogue.books):
            *line_fields, names = line.split("\n")
            for rows, text in zip(fields, line_fields, strict=True):
                rows.append(text.split())
            author.append(filter(None, names.split("\t")))
            publisher.append(filter(None, [line_fields[2]]))
        terms = list(vocabulary)
        pair_terms, (title_pairs, description_pairs) = word_pairs([fields[0], fields[3]], min_count=min_count)
        title, authors, publisher_words, description = (rows.coordinates() for rows in fields)
        min_n, max_n = self.settings.gram_min, self.settings.gram_max
        return _Terms(
            sources=[
                TermPositions("title", terms, *title),
                TermPositions("authors", terms, *authors),
                TermPositions("publisher", terms, *publisher_words),
                TermPositions("description", terms, *description),
                TermPositions("title", pair_terms, *title_pairs),
                TermPositions("description", pair_terms, *description_pairs),
                TermPositions("authors", list(author.vocabulary), *author.coordinates()),
                TermPositions("publisher", list(publisher.vocabulary), *publisher.coordinates()),
            ],
            grams=_ngrams(
                terms,
                [title[1], authors[1], publisher_words[1]],
                lambda word: char_ngrams(word, min_n=min_n, max_n=max_n),
            ),
            stems=_ngrams(terms, [description[1]], affixes),
        )

    def _tokenized(self, books: Sequence[BookRecord]) -> Iterator[str]:
        if len(books) < _MIN_CACHED:
            yield from map(_tokenize_book, books)
            return
        for start in range(0, len(books), _BATCH):
            part = books[start : start + _BATCH]
            cached = self.cache.get_or_compute(
                keys=list(map(_key, part)),
                items=part,
                compute=lambda missing: (_tokenize_book(book).encode(*_UTF8) for book in missing),
            )
            yield from (line.decode(*_UTF8) for line in cached)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """Terms of books, `sources` in the order of `_GROUPS_OF_SOURCE`; `grams` and `stems` of each word."""

    sources: list[TermPositions]
    grams: Ngrams
    stems: Ngrams

    @property
    def by_group(self) -> dict[str, list[str]]:
        words, pair, author, publisher = (self.sources[i].terms for i in (0, 4, 6, 7))
        return {
            "word": words,
            "title": words,
            "pair": pair,
            "title gram": self.grams.terms,
            "name gram": self.grams.terms,
            "stem": self.stems.terms,
            "author": author,
            "publisher": publisher,
        }

    def matrix_builder(self, columns: Int32) -> TermMatrixBuilder:
        """Return the builder of the matrix of all terms; `columns` (n_terms,) are skipped below 0."""
        ngrams = {"title gram": self.grams, "name gram": self.grams, "stem": self.stems}
        first, start = {}, 0
        for name, terms in self.by_group.items():
            first[name], start = start, start + len(terms)
        parts = [
            (number, first[group], ngrams.get(group))
            for number, groups in enumerate(_GROUPS_OF_SOURCE)
            for group in groups
        ]
        return TermMatrixBuilder.from_sources(self.sources, parts, kept=columns >= 0)


def _ngrams(terms: list[str], occurrences: Sequence[Int32], split: Callable[[str], list[str]]) -> Ngrams:
    used = np.zeros(len(terms), bool)
    for numbers in occurrences:
        used[numbers] = True
    rows = CsrRows(Vocabulary())
    for term, is_used in zip(terms, used.tolist(), strict=True):
        rows.append(split(term) if is_used else ())
    term_index, ngram_index = rows.coordinates()
    return Ngrams(list(rows.vocabulary), term_index, ngram_index)


def _tokenize_book(book: BookRecord) -> str:
    """Return one line of words each for title, authors, publisher and description, and one of names."""
    # A Chinese comma separates names, a Latin one is part of a name; normalising merges the two.
    authors = normalize(book.authors.replace("，", ";"))
    fields = (
        normalize(f"{book.title} {book.subtitle}"),
        authors,
        normalize(book.publisher),
        normalize(book.description),
    )
    names = (" ".join(name.split()) for name in _NAMES.split(authors))
    return "\n".join([*(" ".join(tokenize(field)) for field in fields), "\t".join(names)])


def _key(book: BookRecord) -> bytes:
    return content_key(
        _SOURCE_KEY,
        dictionary_key(),
        book.title,
        book.subtitle,
        book.authors,
        book.publisher,
        book.description,
    )
