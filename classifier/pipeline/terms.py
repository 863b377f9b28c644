"""Terms of books, counted and weighed."""

from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from classifier.pipeline.records import Float32, Int32, Int64


class Counts(NamedTuple):
    """How often each book has each term.

    Attributes
    ----------
    terms : list of str
        The term of each column.
    matrix : float32 CSR matrix (n_books, n_terms)
    """

    terms: list[str]
    matrix: sp.csr_matrix


class Source(NamedTuple):
    """Where words of books stand, and which columns count them.

    Attributes
    ----------
    field : str
    counts : Counts
        How often each book has each word there.
    columns : CSR matrix (n_terms, n_columns)
        How often each column counts a word.
    """

    field: str
    counts: Counts
    columns: sp.csr_matrix


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
        self._numbering = numbering
        self._columns = array("i")
        self._starts = array("q", [0])

    def append(self, terms: Iterable[str]) -> None:
        """Add a row with these terms; the same term may come again."""
        self._columns.extend(map(self._numbering.__getitem__, terms))
        self._starts.append(len(self._columns))

    def matrix(self) -> sp.csr_matrix:
        """Return how often each row has each term numbered so far."""
        columns = np.frombuffer(self._columns, np.int32) if self._columns else np.empty(0, np.int32)
        counts = sp.csr_matrix(
            (np.ones(len(columns), np.float32), columns, np.frombuffer(self._starts, np.int64)),
            shape=(len(self._starts) - 1, len(self._numbering)),
            copy=True,
        )
        counts.sum_duplicates()
        return counts

    def counts(self) -> Counts:
        """Return the matrix with its terms."""
        return Counts(list(self._numbering), self.matrix())

    @property
    def numbering(self) -> Numbering:
        """The numbers of the terms."""
        return self._numbering

    def __len__(self) -> int:
        return len(self._starts) - 1

    def in_a_row(self) -> tuple[Int64, Int64]:
        """Return the row of each two neighbouring terms, and both terms as one number: first * n + second."""
        columns = np.array(self._columns, np.int64)
        starts = np.array(self._starts, np.int64)
        row = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        within = row[1:] == row[:-1]
        return row[1:][within], (columns[:-1] * len(self._numbering) + columns[1:])[within]


def pairs(fields: Sequence[Rows], *, least: int) -> list[Counts]:
    """Count two terms in a row, which say more than each does ("machine learning").

    Parameters
    ----------
    fields : sequence of Rows
        Of the same books and with the same numbering.
    least : int
        Pairs that come less often are left out at once: they are most, and their names fill the memory.

    Returns
    -------
    list of Counts
        One a field, with the same terms.
    """
    found = [field.in_a_row() for field in fields]
    together = np.concatenate([np.empty(0, np.int64), *(key for _, key in found)])
    keys, times = np.unique(together, return_counts=True)
    kept = keys[times >= least]
    names, n = list(fields[0].numbering), len(fields[0].numbering)
    terms = [f"{names[key // n]} {names[key % n]}" for key in kept.tolist()]
    counted = []
    for field, (row, key) in zip(fields, found, strict=True):
        column = np.searchsorted(kept, key)
        known = column < len(kept)
        known[known] = kept[column[known]] == key[known]
        places = (row[known], column[known])
        shape = (len(field), len(kept))
        counted.append(Counts(terms, sp.csr_matrix((np.ones(known.sum(), np.float32), places), shape=shape)))
    return counted


class TermGroup:
    """TF-IDF over one group of terms, with sublinear counts and rows of length `weight`."""

    def __init__(self, *, min_books: int, max_terms: int, weight: float) -> None:
        self.min_books = min_books
        self.max_terms = max_terms
        self.weight = np.float32(weight)
        self.index: dict[str, int] = {}
        self.idf: Float32 = np.empty(0, np.float32)

    def fit(self, counts: Counts) -> sp.csr_matrix:
        """Learn the terms and their weights; return the weighted rows of the same books."""
        found = np.bincount(counts.matrix.indices, minlength=len(counts.terms))  # books a term, (n_terms,)
        kept = np.flatnonzero(found >= self.min_books)
        if len(kept) > self.max_terms:
            kept = np.sort(kept[np.argsort(-found[kept], kind="stable")[: self.max_terms]])
        self.index = {counts.terms[j]: i for i, j in enumerate(kept)}
        self.idf = (np.log((1 + counts.matrix.shape[0]) / (1 + found[kept])) + 1).astype(np.float32)
        return self.transform(counts)

    def columns(self, terms: Sequence[str]) -> Int32:
        """Return the column of each term, (len(terms),); -1 of an unknown one."""
        return np.array([self.index.get(term, -1) for term in terms], np.int32)

    def selection(self, terms: Sequence[str]) -> sp.csr_matrix:
        """Return 1 where a column is a term's, (len(terms), n_terms)."""
        columns = self.columns(terms)
        known = np.flatnonzero(columns >= 0)
        shape = (len(terms), len(self.index))
        return sp.csr_matrix((np.ones(len(known), np.float32), (known, columns[known])), shape=shape)

    def transform(self, counts: Counts) -> sp.csr_matrix:
        """Return the weighted rows of books, (n_books, n_terms); unknown terms are left out."""
        matrix = counts.matrix
        columns = self.columns(counts.terms)[matrix.indices]  # (n_values,)
        known = columns >= 0
        starts = np.concatenate([[0], np.cumsum(known)])[matrix.indptr]
        shape = (matrix.shape[0], len(self.index))
        rows = sp.csr_matrix((matrix.data[known], columns[known], starts), shape=shape)
        if 0 in shape:
            return rows
        rows.sort_indices()  # in this order the lengths below are summed
        rows.data = (1 + np.log(rows.data)) * self.idf[rows.indices]
        return normalize(rows, copy=False) * self.weight


def credited(values: sp.csr_matrix, sources: Sequence[Source]) -> Words:
    """Credit each value of a block to the words that were counted in it, by how often each was.

    Parameters
    ----------
    values : CSR matrix (n_books, n_columns)
        Stores a value just where the sources count a word.
    sources : sequence of Source
    """
    totals = sum(source.counts.matrix @ source.columns for source in sources).tocsr()
    totals.sort_indices()
    places = sp.csr_matrix((np.arange(values.nnz), values.indices, values.indptr), shape=values.shape)
    number: dict[tuple[str, str], int] = {}
    keys, owned, shares = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    most = sum(len(source.counts.terms) for source in sources)
    for source in sources:
        found = source.counts.matrix.tocoo()
        of_term = np.zeros(len(source.counts.terms), np.int64)
        for term in np.unique(found.col).tolist():
            of_term[term] = number.setdefault((source.field, source.counts.terms[term]), len(number))
        columns = source.columns[found.col]  # (n_words, n_columns)
        if not columns.nnz:
            continue
        lengths = np.diff(columns.indptr)
        rows = np.repeat(found.row, lengths)
        place = np.asarray(places[rows, columns.indices], np.int64).ravel()
        keys.append(np.repeat(found.row.astype(np.int64) * most + of_term[found.col], lengths))
        owned.append(place)
        shares.append(columns.data * np.repeat(found.data, lengths) / totals.data[place])
    # A name of one word is that word too: what both bring is added up.
    words, owners = np.unique(np.concatenate(keys), return_inverse=True)
    shape = (len(words), values.nnz)
    credit = sp.csr_matrix((np.concatenate(shares), (owners, np.concatenate(owned))), shape=shape)
    return Words(words // max(most, 1), words % max(most, 1), list(number), credit)
