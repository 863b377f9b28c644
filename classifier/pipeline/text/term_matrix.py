"""Where terms of books stand, and which columns count them.

Both are matrices, and their product says how often each book has each column, of all groups at once: of a
single book, making matrices takes more than filling them.
"""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Bool, Float32, Int32, Int64


class Source(NamedTuple):
    """Where terms stand in books.

    Attributes
    ----------
    field : str
    terms : list of str
    book : int32 array (n_found,)
        Row of each term that stands there, in order; one that stands there twice is there twice.
    term : int32 array (n_found,)
        Index into `terms`.
    """

    field: str
    terms: list[str]
    book: Int32
    term: Int32


class Pieces(NamedTuple):
    """What terms are made of.

    Attributes
    ----------
    terms : list of str
        The pieces.
    whole : int32 array (n,)
        Index of the term that each piece is one of, in order; a piece that comes twice is there twice.
    piece : int32 array (n,)
        Index into `terms`.
    """

    terms: list[str]
    whole: Int32
    piece: Int32


class Numbering(dict[str, int]):
    """Numbers terms in the order in which they are first asked for."""

    def __missing__(self, term: str) -> int:
        self[term] = number = len(self)
        return number


class Rows:
    """Rows of term numbers, gathered one by one.

    Parameters
    ----------
    numbering : Numbering
    """

    def __init__(self, numbering: Numbering) -> None:
        self.numbering = numbering
        self._columns = array("i")
        self._starts = array("q", [0])

    def append(self, terms: Iterable[str]) -> None:
        """Add a row with these terms; the same term may come again."""
        self._columns.extend(map(self.numbering.__getitem__, terms))
        self._starts.append(len(self._columns))

    def found(self) -> tuple[Int32, Int32]:
        """Return the row and the number of each term, in the order in which they came."""
        starts = np.array(self._starts, np.int64)
        rows = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), starts[1:] - starts[:-1])
        return rows, np.array(self._columns, np.int32)


def pairs(fields: Sequence[Rows], *, least: int) -> tuple[list[str], list[tuple[Int32, Int32]]]:
    """Find two terms in a row, which say more than each does ("machine learning").

    Parameters
    ----------
    fields : sequence of Rows
        With the same numbering.
    least : int
        Pairs that come less often are left out at once: they are most, and their names fill the memory.

    Returns
    -------
    list of str, list of (int32 array, int32 array)
        The pairs; of each field, the row and the index of each pair that stands there.
    """
    names, n = list(fields[0].numbering), len(fields[0].numbering)
    found = []
    for field in fields:
        row, term = field.found()
        within = row[1:] == row[:-1]
        found.append((row[1:][within], (term[:-1] * np.int64(n) + term[1:])[within]))
    keys, times = np.unique(np.concatenate([key for _, key in found]), return_counts=True)
    kept = keys[times >= least]
    terms = [f"{names[key // n]} {names[key % n]}" for key in kept.tolist()]
    places = []
    for row, key in found:
        place = np.searchsorted(kept, key)
        known = np.append(kept, -1)[place] == key
        places.append((row[known], place[known].astype(np.int32)))
    return terms, places


class Counting(NamedTuple):
    """Where the terms of some sources stand, and which columns count them.

    Attributes
    ----------
    book : int32 array (n_found,)
        Row of each term that stands somewhere, in order.
    term : int32 array (n_found,)
        Its number: the terms of one source come after those of another.
    first : list of int
        Number of the first term of each source, and how many there are.
    starts : int array (n_terms + 1,)
        Where the columns of each term begin; of one that stands nowhere, there are none.
    columns : int32 array (n,)
        A column is there as often as it counts the term.
    """

    book: Int32
    term: Int32
    first: list[int]
    starts: Int64
    columns: Int32

    @classmethod
    def of(
        cls, sources: Sequence[Source], parts: Sequence[tuple[int, int, Pieces | None]], *, known: Bool
    ) -> "Counting":
        """Bring together sources and what counts their terms.

        Parameters
        ----------
        sources : sequence of Source
        parts : sequence of (int, int, Pieces or None)
            Number of a source, and the first of the columns that count its terms, or the pieces of these.
        known : bool array (n_columns,)
            Columns that count.
        """
        first = np.concatenate([[0], np.cumsum([len(source.terms) for source in sources])]).tolist()
        book = np.concatenate([source.book for source in sources])
        term = np.concatenate(
            [source.term + np.int32(start) for source, start in zip(sources, first, strict=False)]
        )
        order = np.argsort(book, kind="stable")
        terms, columns = [], []
        for number, column, pieces in parts:
            if pieces is None:
                terms.append(np.arange(first[number], first[number + 1], dtype=np.int32))
                columns.append(np.arange(column, column + len(terms[-1]), dtype=np.int32))
            else:
                terms.append(pieces.whole + np.int32(first[number]))
                columns.append(pieces.piece + np.int32(column))
        counted, by = np.concatenate(terms), np.concatenate(columns)
        stands = np.zeros(first[-1], bool)
        stands[term] = True
        kept = np.flatnonzero(stands[counted] & known[by])
        kept = kept[np.argsort(counted[kept], kind="stable")]
        starts = np.concatenate([[0], np.cumsum(np.bincount(counted[kept], minlength=first[-1]))])
        return cls(book[order], term[order], first, starts, by[kept])

    def matrix(self, columns: Int32, *, shape: tuple[int, int]) -> sp.csr_matrix:
        """Return how often each book has each column.

        Parameters
        ----------
        columns : int32 array (n_columns,)
            Where each column is in the matrix.
        shape : tuple of int
            (n_books, n_places).
        """
        n_terms = self.first[-1]
        books = np.concatenate([[0], np.cumsum(np.bincount(self.book, minlength=shape[0]))])
        stands = sp.csr_matrix((_ones(self.term), self.term, books), shape=(shape[0], n_terms))
        counted = sp.csr_matrix(
            (_ones(self.columns), self.columns, self.starts), shape=(n_terms, len(columns))
        )
        found = stands @ counted
        counts = sp.csr_matrix((found.data, columns[found.indices], found.indptr), shape=shape)
        counts.sort_indices()  # in this order lengths are summed
        return counts


def _ones(like: Int32 | Int64) -> Float32:
    return np.ones(len(like), np.float32)
