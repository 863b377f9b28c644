"""TF-IDF weights of terms, and the words behind each weight."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.records import Float32, Int32, Int64
from classifier.pipeline.text.term_matrix import TermMatrixBuilder, TermPositions

_CHUNK = 2048  # books weighed at a time: some 20 MB


class WordCredits(NamedTuple):
    """Words of books and their share in the values of a sparse block.

    Attributes
    ----------
    book, term : (n_words,)
        Row of each word, and index into `names`.
    names
        Field and word; a name of several words counts as one.
    credit : (n_words, n_values)
        Share of each word in each stored value of the block; they sum to 1.
    """

    book: Int64
    term: Int64
    names: list[tuple[str, str]]
    credit: sp.csr_matrix


class TermGroups:
    """TF-IDF with sublinear counts; within a group, rows have the length of the group's weight.

    Parameters
    ----------
    max_terms
        Per group.

    Attributes
    ----------
    index
        By group, the column of each term; groups occupy consecutive columns.
    idf : (n_columns,)
    """

    def __init__(self, weights: Mapping[str, float], *, max_terms: int) -> None:
        self.max_terms = max_terms
        self.weights = np.array(list(weights.values()), np.float32)
        self.index: dict[str, dict[str, int]] = {name: {} for name in weights}
        self.idf: Float32 = np.empty(0, np.float32)
        self._group = np.empty(0, np.int8)  # of each column

    def fit(
        self, counts: sp.csr_matrix, terms: Mapping[str, Sequence[str]], *, min_books: int
    ) -> sp.csr_matrix:
        """Learn terms of `min_books` books or more; return weighted rows, overwriting the counts.

        Parameters
        ----------
        counts : (n_books, n_terms)
        """
        document_frequency = np.bincount(
            counts.indices, minlength=counts.shape[1]
        )  # books a term, (n_terms,)
        column = np.full(counts.shape[1], -1, np.int32)
        start = size = 0
        sizes = []
        for name, group_terms in terms.items():
            books = document_frequency[start : start + len(group_terms)]
            kept = np.flatnonzero(books >= min_books)
            if len(kept) > self.max_terms:
                kept = np.sort(kept[np.argsort(-books[kept], kind="stable")[: self.max_terms]])
            self.index[name] = {group_terms[j]: size + i for i, j in enumerate(kept.tolist())}
            column[start + kept] = np.arange(size, size + len(kept))
            start, size = start + len(group_terms), size + len(kept)
            sizes.append(len(kept))
        self._group = _numbers(sizes)
        kept_frequency = document_frequency[column >= 0]
        self.idf = (np.log((1 + counts.shape[0]) / (1 + kept_frequency)) + 1).astype(np.float32)
        columns = column[counts.indices]
        counts.data[columns < 0] = 0
        kept_only = sp.csr_matrix(
            (counts.data, np.maximum(columns, 0), counts.indptr), shape=(counts.shape[0], size)
        )
        kept_only.eliminate_zeros()
        return self.weigh(kept_only)

    def columns(self, terms: Mapping[str, Sequence[str]]) -> Int32:
        """Return the column of each term of each group, (n_terms,); -1 if unknown."""
        columns = [
            np.array([index.get(term, -1) for term in terms[name]], np.int32)
            for name, index in self.index.items()
        ]
        return np.concatenate(columns)

    def weigh(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Return the weighted rows (n_books, n_columns), overwriting the counts."""
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
        """Return the terms and weights of each group."""
        parts = np.split(self.idf, np.cumsum([len(index) for index in self.index.values()])[:-1])
        return {
            name: (list(index), idf) for (name, index), idf in zip(self.index.items(), parts, strict=True)
        }

    def load_state(self, state: Mapping[str, tuple[list[str], Float32]]) -> None:
        """Restore what `state` returned; raises `TypeError` or `ValueError` if it does not match."""
        size = 0
        for name in self.index:
            terms, idf = state[name]
            self.index[name] = {term: size + i for i, term in enumerate(terms)}
            if not all(isinstance(term, str) for term in terms) or idf.dtype != np.float32:
                raise TypeError(f"Terms or weights of {name} have another type.")
            if idf.shape != (len(self.index[name]),) or len(terms) != len(idf):
                raise ValueError(f"Weights of {name} do not match its terms.")
            size += len(terms)
        self._group = _numbers([len(index) for index in self.index.values()])
        self.idf = np.concatenate([state[name][1] for name in self.index])

    def __len__(self) -> int:
        return len(self.idf)


def credit_words(
    counts: sp.csr_matrix, sources: Sequence[TermPositions], builder: TermMatrixBuilder, columns: Int32
) -> WordCredits:
    """Attribute each value of a block to the words counted in it, in proportion to their counts.

    Parameters
    ----------
    counts
        From `builder.matrix` for the same `columns`; the block stores values at the same positions.
    """
    numbers: dict[tuple[str, str], int] = {}
    word_of_term = np.zeros(builder.first[-1], np.int64)
    occurs = np.zeros(len(word_of_term), bool)
    occurs[builder.term] = True
    for source, start in zip(sources, builder.first, strict=False):
        for position in np.flatnonzero(occurs[start : start + len(source.terms)]).tolist():
            word_of_term[start + position] = numbers.setdefault(
                (source.field, source.terms[position]), len(numbers)
            )
    n_columns = builder.starts[1:] - builder.starts[:-1]
    counted = np.flatnonzero(n_columns[builder.term])
    # A one-word name equals that word: their credits are added.
    word = builder.book[counted] * np.int64(len(numbers)) + word_of_term[builder.term[counted]]
    order = np.argsort(word, kind="stable")
    word, term, book = word[order], builder.term[counted][order], builder.book[counted][order]
    n_columns = n_columns[term]
    ends = np.concatenate([[0], np.cumsum(n_columns)])
    entries = np.repeat(builder.starts[term] - ends[:-1], n_columns) + np.arange(ends[-1])
    cells = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr)) * counts.shape[1] + counts.indices
    position = np.searchsorted(
        cells,
        np.repeat(book.astype(np.int64) * counts.shape[1], n_columns) + columns[builder.columns[entries]],
    )
    starts = np.flatnonzero(np.diff(word, prepend=-1))
    ones = np.ones(len(position), np.float32)
    shape = (len(starts), counts.nnz)
    credit = sp.csr_matrix((ones, position, np.append(ends[starts], ends[-1])), shape=shape)
    credit.sum_duplicates()
    credit.data /= counts.data[credit.indices]
    return WordCredits(*np.divmod(word[starts], max(len(numbers), 1)), list(numbers), credit)


def _numbers(sizes: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int8]]:
    return np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
