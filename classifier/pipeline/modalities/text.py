"""Text: what title, authors, publisher and description say.

A book becomes groups of TF-IDF weighted terms: words of every field, words of the title once more (a title
names the subject, a description also praises), two words in a row, character n-grams of the title and of
the names, beginnings and ends of the description's words, whole author names, and the whole publisher name.
Which field a term stands in is evidence. Chinese is read as characters and bigrams too, because
segmentation errs.

The words of a book are cached; what follows is arithmetic on counts. The pieces of a word are made once
for all books that have it.
"""

import logging
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import jieba
import numpy as np
import scipy.sparse as sp

from classifier.pipeline import markup, stopwords
from classifier.pipeline.cache import content_key, source_key
from classifier.pipeline.config import Config, TextConfig
from classifier.pipeline.markup import without_markup
from classifier.pipeline.modality import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.records import BookRecord, Bool, Catalogue, Float64
from classifier.pipeline.stopwords import STOP_WORDS
from classifier.pipeline.terms import Counts, Numbering, Rows, Source, TermGroup, Words, credited, pairs

jieba.setLogLevel(logging.WARNING)

_ACCENT = re.compile(r"[\u0300-\u036f\ufe20-\ufe2f]+")  # the latter: ties over letters in romanised Russian
_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_WEIGHTS = {
    "word": 1.5, "title": 0.7, "pair": 1.0, "title gram": 1.0, "name gram": 0.8, "stem": 1.0,
    "author": 0.7, "publisher": 0.7,
}  # fmt: skip
"""Length of each group's row: names are strong evidence but drown a description at full length."""
_STEM = 5
_NAMES = re.compile(r"[;、/|&]| and ")
_MADE_BY = source_key(
    sys.modules[__name__], markup, stopwords, versions=(jieba.__version__, unicodedata.unidata_version)
)
_UTF8 = ("utf-8", "surrogatepass")  # a catalogue may hold half a character
_BATCH = 2000  # books whose words are held as strings at a time
_WORTH_CACHING = 16  # reading fewer books from a file takes longer than cutting their words


def clean(text: str) -> str:
    """Return text without mark-up, in one spelling: NFKC, lower case, no accents.

    Examples
    --------
    >>> clean("<b>Économie</b> &amp; droit")
    ' economie  & droit'
    """
    text = without_markup(text)
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
    found = _WORD.findall(text)
    if _HAN.search(text):
        found = [word for run in found for word in (jieba.cut(run) if _HAN.search(run) else (run,))]
    return [word for word in found if word not in STOP_WORDS]


def grams(word: str, *, smallest: int, largest: int) -> list[str]:
    """Return the character n-grams of a word, its ends marked; of a Chinese one characters and bigrams.

    Examples
    --------
    >>> grams("art", smallest=3, largest=4)
    ['<ar', 'art', 'rt>', '<art', 'art>']
    """
    if _HAN.search(word):
        return _characters(word)
    marked = f"<{word}>"
    return [
        marked[i : i + n]
        for n in range(smallest, min(largest, len(marked)) + 1)
        for i in range(len(marked) - n + 1)
    ]


def stems(word: str) -> list[str]:
    """Return how a long word begins and ends, of a Chinese one characters and bigrams.

    The beginning is the stem, the end in German what a compound is a kind of. On 99 categories this brings
    what n-grams of descriptions would (0.7 points) with a third of the terms.

    Examples
    --------
    >>> stems("volkswirtschaft"), stems("market")
    (['<volks', 'chaft>'], ['<marke', 'arket>'])
    >>> stems("art")
    []
    """
    if _HAN.search(word):
        return _characters(word)
    return [f"<{word[:_STEM]}", f"{word[-_STEM:]}>"] if len(word) > _STEM else []


def _characters(word: str) -> list[str]:
    return [*word, *(word[i : i + 2] for i in range(len(word) - 1))]


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
        counts = self._count(catalogue, least=self.settings.min_books).groups()
        return self._block([group.fit(counts[name]) for name, group in self.groups.items()])

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="sparse", shape=(sum(len(group.index) for group in self.groups.values()),))

    @property
    def terms(self) -> list[str]:
        """The name of each column, ``group:term``."""
        return [f"{name}:{term}" for name, group in self.groups.items() for term in group.index]

    def transform(self, catalogue: Catalogue) -> sp.csr_matrix:
        return self.block(catalogue).values

    def present(self, catalogue: Catalogue) -> Bool:
        return self.block(catalogue).present

    def block(self, catalogue: Catalogue) -> Block:
        counts = self._count(catalogue).groups()
        return self._block([group.transform(counts[name]) for name, group in self.groups.items()])

    def block_and_words(self, catalogue: Catalogue) -> tuple[Block, Words]:
        counted = self._count(catalogue)
        counts = counted.groups()
        block = self._block([group.transform(counts[name]) for name, group in self.groups.items()])
        return block, credited(block.values, self._sources(counted))

    def unknown_words(self, books: Sequence[BookRecord]) -> Float64:
        """Return the share of each book's words that are no term, (n_books,); NaN of one without words."""
        known = self.groups["word"].index
        shares = np.full(len(books), np.nan)
        for row, cut in enumerate(self._cut(books)):
            *of_fields, _names = cut.split("\n")
            if found := " ".join(of_fields).split():
                shares[row] = np.mean([word not in known for word in found])
        return shares

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return (
            {name: list(group.index) for name, group in self.groups.items()},
            {name: group.idf for name, group in self.groups.items()},
        )

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        for name, group in self.groups.items():
            group.index = {term: i for i, term in enumerate(values[name])}
            group.idf = tensors[name]
            if not all(isinstance(term, str) for term in values[name]) or group.idf.dtype != np.float32:
                raise TypeError(f"Terms of {name} are no texts, or their weights no numbers.")
            if group.idf.shape != (len(group.index),) or len(values[name]) != len(group.index):
                raise ValueError(f"There is not one weight for each term of {name}.")
        return self

    def _block(self, groups: list[sp.csr_matrix]) -> Block:
        values = sp.hstack(groups, format="csr", dtype=np.float32)
        # Text without a known term says as little as none: mark-up only, say, or a language new here.
        return Block(values=values, present=np.diff(values.indptr) > 0, spec=self.spec)

    def _count(self, catalogue: Catalogue, *, least: int = 1) -> "_Counted":
        """Count the words of each field, pairs that come `least` times, pieces of words, and whole names."""
        numbering = Numbering()
        fields = [Rows(numbering) for _ in range(4)]
        author, publisher = Rows(Numbering()), Rows(Numbering())
        for cut in self._cut(catalogue.books):
            *of_fields, whole_names = cut.split("\n")
            for rows, text in zip(fields, of_fields, strict=True):
                rows.append(text.split())
            author.append(filter(None, whole_names.split("\t")))
            publisher.append(filter(None, [of_fields[2]]))
        title, authors, publisher_words, description = (rows.matrix() for rows in fields)
        terms = list(numbering)
        smallest, largest = self.settings.gram_min, self.settings.gram_max
        title_pairs, description_pairs = pairs([fields[0], fields[3]], least=least)
        return _Counted(
            title=Counts(terms, title),
            authors=Counts(terms, authors),
            publisher_words=Counts(terms, publisher_words),
            description=Counts(terms, description),
            title_pairs=title_pairs,
            description_pairs=description_pairs,
            grams=_pieces(
                terms,
                title + authors + publisher_words,
                lambda word: grams(word, smallest=smallest, largest=largest),
            ),
            stems=_pieces(terms, description, stems),
            author=author.counts(),
            publisher=publisher.counts(),
        )

    def _sources(self, counted: "_Counted") -> list[Source]:
        """Return which columns count the words of each field, pairs of them, and the whole names."""
        counts = counted.groups()
        own = {name: group.selection(counts[name].terms) for name, group in self.groups.items()}
        for name, pieces in (
            ("title gram", counted.grams), ("name gram", counted.grams), ("stem", counted.stems),
        ):  # fmt: skip
            own[name] = pieces.matrix @ own[name]

        ends = np.cumsum([len(group.index) for group in self.groups.values()])
        first = dict(zip(self.groups, [0, *ends[:-1].tolist()], strict=True))

        def source(field: str, of: Counts, *groups: str) -> Source:
            parts = [own[name].tocoo() for name in self.groups if name in groups]
            starts = [first[name] for name in self.groups if name in groups]
            rows = np.concatenate([part.row for part in parts])
            columns = np.concatenate([part.col + start for part, start in zip(parts, starts, strict=True)])
            values = np.concatenate([part.data for part in parts])
            shape = (len(of.terms), int(ends[-1]))
            return Source(field, of, sp.csr_matrix((values, (rows, columns)), shape=shape))

        return [
            source("title", counted.title, "word", "title", "title gram"),
            source("authors", counted.authors, "word", "name gram"),
            source("publisher", counted.publisher_words, "word", "name gram"),
            source("description", counted.description, "word", "stem"),
            source("title", counted.title_pairs, "pair"),
            source("description", counted.description_pairs, "pair"),
            source("authors", counted.author, "author"),
            source("publisher", counted.publisher, "publisher"),
        ]

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
class _Counted:
    """How often books have what.

    Attributes
    ----------
    title, authors, publisher_words, description : Counts
        Words of each field, of the same terms.
    title_pairs, description_pairs : Counts
        Two words in a row, of the same terms.
    grams, stems : Counts
        Pieces of each word.
    author, publisher : Counts
        Whole names.
    """

    title: Counts
    authors: Counts
    publisher_words: Counts
    description: Counts
    title_pairs: Counts
    description_pairs: Counts
    grams: Counts
    stems: Counts
    author: Counts
    publisher: Counts

    def groups(self) -> dict[str, Counts]:
        """Return the counts that each group of columns weighs."""
        terms, title = self.title
        names = self.authors.matrix + self.publisher_words.matrix
        description = self.description.matrix
        return {
            "word": Counts(terms, title + names + description),
            "title": self.title,
            "pair": Counts(self.title_pairs.terms, self.title_pairs.matrix + self.description_pairs.matrix),
            "title gram": Counts(self.grams.terms, title @ self.grams.matrix),
            "name gram": Counts(self.grams.terms, names @ self.grams.matrix),
            "stem": Counts(self.stems.terms, description @ self.stems.matrix),
            "author": self.author,
            "publisher": self.publisher,
        }


def _pieces(terms: list[str], books: sp.csr_matrix, cut: Callable[[str], list[str]]) -> Counts:
    """Return the pieces of each word; none of one that no book has."""
    used = np.zeros(len(terms), bool)
    used[books.indices] = True
    rows = Rows(Numbering())
    for term, is_used in zip(terms, used, strict=True):
        rows.append(cut(term) if is_used else ())
    return rows.counts()


def _cut_book(book: BookRecord) -> str:
    """Return a line of words for each of title, authors, publisher and description, and a line of names."""
    # A Chinese comma divides names, a Latin one stands inside them; cleaning makes them one.
    authors = clean(book.authors.replace("，", ";"))
    fields = (clean(f"{book.title} {book.subtitle}"), authors, clean(book.publisher), clean(book.description))
    names = (" ".join(name.split()) for name in _NAMES.split(authors))
    return "\n".join([*(" ".join(words(field)) for field in fields), "\t".join(names)])


def _key(book: BookRecord) -> bytes:
    return content_key(_MADE_BY, book.title, book.subtitle, book.authors, book.publisher, book.description)
