"""Text: what title, authors, publisher and description say.

A book becomes groups of TF-IDF weighted terms: words of every field, words of the title once more (a title
names the subject, a description also praises), two words in a row, character n-grams of the title and of
the names, beginnings and ends of the description's words, whole author names, and the whole publisher name.
Which field a term stands in is evidence.

The words of a book are cached; what follows is arithmetic on counts. The pieces of a word are made once
for all books that have it.
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import jieba
import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import Config, TextConfig
from classifier.pipeline.features.base import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.features.cache import content_key, source_key
from classifier.pipeline.records import BookRecord, Bool, Catalogue, Float64, Int32
from classifier.pipeline.text import html, stopwords, tokenization
from classifier.pipeline.text.term_matrix import Counting, Numbering, Pieces, Rows, Source, pairs
from classifier.pipeline.text.terms import TermGroups, Words, credited
from classifier.pipeline.text.tokenization import clean, grams, stems, words

_WEIGHTS = {
    "word": 1.5, "title": 0.7, "pair": 1.0, "title gram": 1.0, "name gram": 0.8, "stem": 1.0,
    "author": 0.7, "publisher": 0.7,
}  # fmt: skip
"""Length of each group's row: names are strong evidence but drown a description at full length."""
_COUNTED_BY = (
    ("word", "title", "title gram"),
    ("word", "name gram"),
    ("word", "name gram"),
    ("word", "stem"),
    ("pair",),
    ("pair",),
    ("author",),
    ("publisher",),
)
"""Groups of columns that count the words of title, authors, publisher and description, the pairs of title and
description, and the whole names of authors and publisher."""
_NAMES = re.compile(r"[;、/|&]| and ")
_MADE_BY = source_key(
    sys.modules[__name__],
    tokenization,
    html,
    stopwords,
    versions=(jieba.__version__, unicodedata.unidata_version),
)
_UTF8 = ("utf-8", "surrogatepass")  # a catalogue may hold half a character
_BATCH = 2000  # books whose words are held as strings at a time
_WORTH_CACHING = 16  # reading fewer books from a file takes longer than cutting their words


class TextModality(Modality):
    """Weighted terms of a book's text fields."""

    name = "text"

    def __init__(self, *, settings: TextConfig) -> None:
        self.settings = settings
        self.groups = TermGroups(_WEIGHTS, min_books=settings.min_books, max_terms=settings.max_terms)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.text)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        self.fit_block(catalogue, rng=rng)
        return self

    def fit_block(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Block:
        read = self._read(catalogue, least=self.settings.min_books)
        every = np.arange(sum(map(len, read.terms.values())), dtype=np.int32)
        counts = read.counting(every).matrix(every, shape=(len(catalogue.books), len(every)))
        return self._block(self.groups.fit(counts, read.terms))

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="sparse", shape=(len(self.groups),))

    @property
    def terms(self) -> list[str]:
        """The name of each column, ``group:term``."""
        return [f"{name}:{term}" for name, index in self.groups.index.items() for term in index]

    def transform(self, catalogue: Catalogue) -> sp.csr_matrix:
        return self.block(catalogue).values

    def present(self, catalogue: Catalogue) -> Bool:
        return self.block(catalogue).present

    def block(self, catalogue: Catalogue) -> Block:
        read = self._read(catalogue)
        columns = self.groups.columns(read.terms)
        counts = read.counting(columns).matrix(columns, shape=(len(catalogue.books), len(self.groups)))
        return self._block(self.groups.weighed(counts))

    def block_and_words(self, catalogue: Catalogue) -> tuple[Block, Words]:
        read = self._read(catalogue)
        columns = self.groups.columns(read.terms)
        counting = read.counting(columns)
        counts = counting.matrix(columns, shape=(len(catalogue.books), len(self.groups)))
        words = credited(counts, read.sources, counting, columns)
        return self._block(self.groups.weighed(counts)), words

    def unknown_words(self, books: Sequence[BookRecord]) -> Float64:
        """Return the share of each book's words that are no term, (n_books,); NaN of one without words."""
        known = self.groups.index["word"]
        shares = np.full(len(books), np.nan)
        for row, cut in enumerate(self._cut(books)):
            *of_fields, _names = cut.split("\n")
            if found := " ".join(of_fields).split():
                shares[row] = np.mean([word not in known for word in found])
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
        # Text without a known term says as little as none: mark-up only, say, or a language new here.
        return Block(values=values, present=np.diff(values.indptr) > 0, spec=self.spec)

    def _read(self, catalogue: Catalogue, *, least: int = 1) -> "_Read":
        """Find the words of each field, pairs that come `least` times, pieces of words, and whole names."""
        numbering = Numbering()
        fields = [Rows(numbering) for _ in range(4)]
        author, publisher = Rows(Numbering()), Rows(Numbering())
        for cut in self._cut(catalogue.books):
            *of_fields, whole_names = cut.split("\n")
            for rows, text in zip(fields, of_fields, strict=True):
                rows.append(text.split())
            author.append(filter(None, whole_names.split("\t")))
            publisher.append(filter(None, [of_fields[2]]))
        terms = list(numbering)
        pair_terms, (title_pairs, description_pairs) = pairs([fields[0], fields[3]], least=least)
        title, authors, publisher_words, description = (rows.found() for rows in fields)
        smallest, largest = self.settings.gram_min, self.settings.gram_max
        return _Read(
            sources=[
                Source("title", terms, *title),
                Source("authors", terms, *authors),
                Source("publisher", terms, *publisher_words),
                Source("description", terms, *description),
                Source("title", pair_terms, *title_pairs),
                Source("description", pair_terms, *description_pairs),
                Source("authors", list(author.numbering), *author.found()),
                Source("publisher", list(publisher.numbering), *publisher.found()),
            ],
            grams=_pieces(
                terms,
                [title[1], authors[1], publisher_words[1]],
                lambda word: grams(word, smallest=smallest, largest=largest),
            ),
            stems=_pieces(terms, [description[1]], stems),
        )

    def _cut(self, books: Sequence[BookRecord]) -> Iterator[str]:
        """Yield `_cut_book` of each book, from the cache where it is worth it."""
        if len(books) < _WORTH_CACHING:
            yield from map(_cut_book, books)
            return
        for start in range(0, len(books), _BATCH):
            part = books[start : start + _BATCH]
            found = self.cache.remember(
                keys=list(map(_key, part)),
                items=part,
                make=lambda missing: (_cut_book(book).encode(*_UTF8) for book in missing),
            )
            yield from (cut.decode(*_UTF8) for cut in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What stands in books.

    Attributes
    ----------
    sources : list of Source
        As many as `_COUNTED_BY`, in the same order.
    grams, stems : Pieces
        Of each word.
    """

    sources: list[Source]
    grams: Pieces
    stems: Pieces

    @property
    def terms(self) -> dict[str, list[str]]:
        """What each group of columns may have."""
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

    def counting(self, columns: Int32) -> Counting:
        """Return what of all `terms` counts what stands in books.

        Parameters
        ----------
        columns : int32 array (n_terms,)
            Below 0 of those that count nothing.
        """
        pieces = {"title gram": self.grams, "name gram": self.grams, "stem": self.stems}
        first, start = {}, 0
        for name, terms in self.terms.items():
            first[name], start = start, start + len(terms)
        parts = [
            (number, first[group], pieces.get(group))
            for number, groups in enumerate(_COUNTED_BY)
            for group in groups
        ]
        return Counting.of(self.sources, parts, known=columns >= 0)


def _pieces(terms: list[str], found: Sequence[Int32], cut: Callable[[str], list[str]]) -> Pieces:
    """Return the pieces of each word; none of one that stands nowhere."""
    used = np.zeros(len(terms), bool)
    for numbers in found:
        used[numbers] = True
    rows = Rows(Numbering())
    for term, is_used in zip(terms, used.tolist(), strict=True):
        rows.append(cut(term) if is_used else ())
    whole, piece = rows.found()
    return Pieces(list(rows.numbering), whole, piece)


def _cut_book(book: BookRecord) -> str:
    """Return a line of words for each of title, authors, publisher and description, and a line of names."""
    # A Chinese comma divides names, a Latin one stands inside them; cleaning makes them one.
    authors = clean(book.authors.replace("，", ";"))
    fields = (clean(f"{book.title} {book.subtitle}"), authors, clean(book.publisher), clean(book.description))
    names = (" ".join(name.split()) for name in _NAMES.split(authors))
    return "\n".join([*(" ".join(words(field)) for field in fields), "\t".join(names)])


def _key(book: BookRecord) -> bytes:
    return content_key(_MADE_BY, book.title, book.subtitle, book.authors, book.publisher, book.description)
