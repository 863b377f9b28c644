"""Terms of books, counted and weighed.

Where terms stand is one matrix, which columns count a term another, and their product says how often each
book has each column, of all groups at once: of a single book, making matrices takes more than filling them.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Bool, Float32, Int32, Int64

_CHUNK = 2048  # books weighed at a time: some 20 MB


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


class Words(NamedTuple):
    """The words of books, and what of a sparse block's values is theirs.

    Attributes
    ----------
    book : int array (n_words,)
        Row of the block that each word stands in.
    term : int array (n_words,)
        Index into `names`.
    names : list of (str, str)
        Field and word; a name of several words is one of them too.
    credit : CSR matrix (n_words, n_values)
        Share of each word in each stored value of the block, in the order in which the block stores them;
        the shares of a value sum to 1.
    """

    book: Int64
    term: Int64
    names: list[tuple[str, str]]
    credit: sp.csr_matrix


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


class TermGroups:
    """TF-IDF over groups of terms, with sublinear counts; in each group rows have the length of its weight.

    Parameters
    ----------
    weights : mapping of str to float
        By the name of the group.
    min_books : int
        A term in fewer is left out.
    max_terms : int
        Of each group.

    Attributes
    ----------
    index : dict of str to dict of str to int
        By group, the column of each term; the columns of one group come after those of another.
    idf : float32 array (n_columns,)
    """

    def __init__(self, weights: Mapping[str, float], *, min_books: int, max_terms: int) -> None:
        self.min_books = min_books
        self.max_terms = max_terms
        self.weights = np.array(list(weights.values()), np.float32)
        self.index: dict[str, dict[str, int]] = {name: {} for name in weights}
        self.idf: Float32 = np.empty(0, np.float32)
        self._group = np.empty(0, np.int8)  # of each column

    def fit(self, counts: sp.csr_matrix, terms: Mapping[str, Sequence[str]]) -> sp.csr_matrix:
        """Learn the terms and their weights; return the weighted rows of the same books.

        Parameters
        ----------
        counts : CSR matrix (n_books, n_terms)
            How often each book has each term, one group after another; its memory is used again.
        terms : mapping of str to sequence of str
            By group.
        """
        found = np.bincount(counts.indices, minlength=counts.shape[1])  # books a term, (n_terms,)
        place = np.full(counts.shape[1], -1, np.int32)
        start = size = 0
        sizes = []
        for name, of_group in terms.items():
            books = found[start : start + len(of_group)]
            kept = np.flatnonzero(books >= self.min_books)
            if len(kept) > self.max_terms:
                kept = np.sort(kept[np.argsort(-books[kept], kind="stable")[: self.max_terms]])
            self.index[name] = {of_group[j]: size + i for i, j in enumerate(kept.tolist())}
            place[start + kept] = np.arange(size, size + len(kept))
            start, size = start + len(of_group), size + len(kept)
            sizes.append(len(kept))
        self._group = _numbers(sizes)
        of_kept = found[place >= 0]
        self.idf = (np.log((1 + counts.shape[0]) / (1 + of_kept)) + 1).astype(np.float32)
        columns = place[counts.indices]
        counts.data[columns < 0] = 0
        kept_only = sp.csr_matrix(
            (counts.data, np.maximum(columns, 0), counts.indptr), shape=(counts.shape[0], size)
        )
        kept_only.eliminate_zeros()
        return self.weighed(kept_only)

    def columns(self, terms: Mapping[str, Sequence[str]]) -> Int32:
        """Return the column of each term of each group, (n_terms,); -1 of an unknown one."""
        found = [
            np.array([index.get(term, -1) for term in terms[name]], np.int32)
            for name, index in self.index.items()
        ]
        return np.concatenate(found)

    def weighed(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Return the weighted rows of books, (n_books, n_columns), in the place of the counts."""
        n, groups = counts.shape[0], len(self.weights)
        for start in range(0, n, _CHUNK):
            ends = counts.indptr[start : start + _CHUNK + 1]
            part = slice(ends[0], ends[-1])
            columns = counts.indices[part]
            values = (1 + np.log(counts.data[part])) * self.idf[columns]
            group = self._group[columns]
            row = np.repeat(np.arange(0, groups * (len(ends) - 1), groups), ends[1:] - ends[:-1]) + group
            lengths = np.sqrt(np.bincount(row, values * values))
            counts.data[part] = (values / lengths[row]).astype(np.float32) * self.weights[group]
        return counts

    def state(self) -> dict[str, tuple[list[str], Float32]]:
        """Return the terms of each group and their weights."""
        parts = np.split(self.idf, np.cumsum([len(index) for index in self.index.values()])[:-1])
        return {
            name: (list(index), idf) for (name, index), idf in zip(self.index.items(), parts, strict=True)
        }

    def load_state(self, state: Mapping[str, tuple[list[str], Float32]]) -> None:
        """Take back what `state` gave.

        Raises
        ------
        TypeError, ValueError
            If it is none.
        """
        size = 0
        for name in self.index:
            terms, idf = state[name]
            self.index[name] = {term: size + i for i, term in enumerate(terms)}
            if not all(isinstance(term, str) for term in terms) or idf.dtype != np.float32:
                raise TypeError(f"Terms of {name} are no texts, or their weights no numbers.")
            if idf.shape != (len(self.index[name]),) or len(terms) != len(idf):
                raise ValueError(f"There is not one weight for each term of {name}.")
            size += len(terms)
        self._group = _numbers([len(index) for index in self.index.values()])
        self.idf = np.concatenate([state[name][1] for name in self.index])

    def __len__(self) -> int:
        return len(self.idf)


def credited(counts: sp.csr_matrix, sources: Sequence[Source], counting: Counting, columns: Int32) -> Words:
    """Credit each value of a block to the words that were counted in it, by how often each was.

    Parameters
    ----------
    counts : CSR matrix (n_books, n_places)
        As `counting.matrix` gives them: the block has values in the same places.
    sources : sequence of Source
    counting : Counting
    columns : int32 array (n_columns,)
        As given to `counting.matrix`.
    """
    number: dict[tuple[str, str], int] = {}
    named = np.zeros(counting.first[-1], np.int64)
    stands = np.zeros(len(named), bool)
    stands[counting.term] = True
    for source, start in zip(sources, counting.first, strict=False):
        for place in np.flatnonzero(stands[start : start + len(source.terms)]).tolist():
            named[start + place] = number.setdefault((source.field, source.terms[place]), len(number))
    lengths = counting.starts[1:] - counting.starts[:-1]
    counted = np.flatnonzero(lengths[counting.term])
    # A name of one word is that word too: what both bring is added up.
    word = counting.book[counted] * np.int64(len(number)) + named[counting.term[counted]]
    order = np.argsort(word, kind="stable")
    word, term, book = word[order], counting.term[counted][order], counting.book[counted][order]
    lengths = lengths[term]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    at = np.repeat(counting.starts[term] - ends[:-1], lengths) + np.arange(ends[-1])
    cells = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr)) * counts.shape[1] + counts.indices
    place = np.searchsorted(
        cells, np.repeat(book.astype(np.int64) * counts.shape[1], lengths) + columns[counting.columns[at]]
    )
    begins = np.flatnonzero(np.diff(word, prepend=-1))
    credit = sp.csr_matrix(
        (_ones(place), place, np.append(ends[begins], ends[-1])), shape=(len(begins), counts.nnz)
    )
    credit.sum_duplicates()
    credit.data /= counts.data[credit.indices]
    return Words(*np.divmod(word[begins], max(len(number), 1)), list(number), credit)


def _numbers(sizes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Return the number of the group of each column."""
    return np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)


def _ones(like: Int32 | Int64) -> Float32:
    return np.ones(len(like), np.float32)
