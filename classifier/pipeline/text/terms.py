"""Terms of books, weighed, and the words that the weights are due to."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Float32, Int32, Int64
from classifier.pipeline.text.term_matrix import Counting, Source

_CHUNK = 2048  # books weighed at a time: some 20 MB


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
    ones = np.ones(len(place), np.float32)
    shape = (len(begins), counts.nnz)
    credit = sp.csr_matrix((ones, place, np.append(ends[begins], ends[-1])), shape=shape)
    credit.sum_duplicates()
    credit.data /= counts.data[credit.indices]
    return Words(*np.divmod(word[begins], max(len(number), 1)), list(number), credit)


def _numbers(sizes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Return the number of the group of each column."""
    return np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
