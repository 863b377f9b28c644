"""Build sparse document-term count matrices.

A term-position matrix times a term-column matrix counts every column group at once. For a single book,
creating matrices takes longer than filling them, so few are created.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Bool, Float32, Int32, Int64


class TermPositions(NamedTuple):
    """Occurrences of terms in one field: sorted row and index into `terms`, each (n_occurrences,)."""

    field: str
    terms: list[str]
    book: Int32
    term: Int32


class Ngrams(NamedTuple):
    """Distinct n-grams of terms.

    Attributes
    ----------
    term, ngram : (n,)
        Sorted index of a term and index of an n-gram it contains, as often as it does.
    """

    terms: list[str]
    term: Int32
    ngram: Int32


class Vocabulary(dict[str, int]):
    """Numbers terms in order of first use."""

    def __missing__(self, term: str) -> int:
        self[term] = number = len(self)
        return number


class CsrRows:
    """Rows of term numbers, appended one by one."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._columns = array("i")
        self._starts = array("q", [0])

    def append(self, terms: Iterable[str]) -> None:
        """Append a row of terms, possibly repeated."""
        self._columns.extend(map(self.vocabulary.__getitem__, terms))
        self._starts.append(len(self._columns))

    def coordinates(self) -> tuple[Int32, Int32]:
        """Return the row and the number of each term, in order of appending."""
        starts = np.array(self._starts, np.int64)
        rows = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), starts[1:] - starts[:-1])
        return rows, np.array(self._columns, np.int32)


def word_pairs(fields: Sequence[CsrRows], *, min_count: int) -> tuple[list[str], list[tuple[Int32, Int32]]]:
    """Return adjacent term pairs ("machine learning"), and for each field row and pair of each occurrence.

    `fields` share a vocabulary. Pairs rarer than `min_count` are dropped at once: they are the majority, and
    their names would fill the memory.
    """
    names, n = list(fields[0].vocabulary), len(fields[0].vocabulary)
    pairs_of_fields = []
    for field in fields:
        row, term = field.coordinates()
        same_row = row[1:] == row[:-1]
        pairs_of_fields.append((row[1:][same_row], (term[:-1] * np.int64(n) + term[1:])[same_row]))
    keys, times = np.unique(np.concatenate([key for _, key in pairs_of_fields]), return_counts=True)
    frequent = keys[times >= min_count]
    terms = [f"{names[key // n]} {names[key % n]}" for key in frequent.tolist()]
    positions = []
    for row, key in pairs_of_fields:
        position = np.searchsorted(frequent, key)
        is_frequent = np.append(frequent, -1)[position] == key
        positions.append((row[is_frequent], position[is_frequent].astype(np.int32)))
    return terms, positions


class TermMatrixBuilder(NamedTuple):
    """Occurrences of all terms, and the columns that count each term.

    Attributes
    ----------
    book, term : (n_occurrences,)
        Sorted row, and number of the term; the sources' terms follow each other.
    first
        Number of the first term of each source, then the total.
    starts : (n_terms + 1,)
        Start of each term's columns; terms without occurrences have none.
    columns : (n,)
        Repeated columns count a term several times.
    """

    book: Int32
    term: Int32
    first: list[int]
    starts: Int64
    columns: Int32

    @classmethod
    def from_sources(
        cls,
        sources: Sequence[TermPositions],
        parts: Sequence[tuple[int, int, Ngrams | None]],
        *,
        kept: Bool,
    ) -> "TermMatrixBuilder":
        """Combine term positions with the columns that count them.

        Parameters
        ----------
        parts
            Index of a source, first column of the group, and its n-grams; None: the terms.
        kept : (n_columns,)
            Columns that count.
        """
        first = np.concatenate([[0], np.cumsum([len(source.terms) for source in sources])]).tolist()
        book = np.concatenate([source.book for source in sources])
        term = np.concatenate(
            [source.term + np.int32(start) for source, start in zip(sources, first, strict=False)]
        )
        order = np.argsort(book, kind="stable")
        terms, columns = [], []
        for number, column, ngrams in parts:
            if ngrams is None:
                terms.append(np.arange(first[number], first[number + 1], dtype=np.int32))
                columns.append(np.arange(column, column + len(terms[-1]), dtype=np.int32))
            else:
                terms.append(ngrams.term + np.int32(first[number]))
                columns.append(ngrams.ngram + np.int32(column))
        counted, counted_by = np.concatenate(terms), np.concatenate(columns)
        occurs = np.zeros(first[-1], bool)
        occurs[term] = True
        selected = np.flatnonzero(occurs[counted] & kept[counted_by])
        selected = selected[np.argsort(counted[selected], kind="stable")]
        starts = np.concatenate([[0], np.cumsum(np.bincount(counted[selected], minlength=first[-1]))])
        return cls(book[order], term[order], first, starts, counted_by[selected])

    def matrix(self, columns: Int32, *, shape: tuple[int, int]) -> sp.csr_matrix:
        """Return counts by book; `columns` (n_columns,) is the position of each column in the matrix."""
        n_terms = self.first[-1]
        books = np.concatenate([[0], np.cumsum(np.bincount(self.book, minlength=shape[0]))])
        occurrences = sp.csr_matrix((_ones(self.term), self.term, books), shape=(shape[0], n_terms))
        columns_of_terms = sp.csr_matrix(
            (_ones(self.columns), self.columns, self.starts), shape=(n_terms, len(columns))
        )
        product = occurrences @ columns_of_terms
        counts = sp.csr_matrix((product.data, columns[product.indices], product.indptr), shape=shape)
        counts.sort_indices()  # fixes the order of later sums
        return counts


def _ones(like: Int32 | Int64) -> Float32:
    return np.ones(len(like), np.float32)
