"""Loans modality: a book is described by what its borrowers also borrowed.

The factors are singular vectors of the book-by-borrower matrix. Only one row per book is stored; later books
are folded in through shared borrowers, so no borrower is ever stored. Links lead to the titles most often
borrowed together with a book.

References
----------
Deerwester et al., Indexing by Latent Semantic Analysis, JASIS 41(6), 1990 (factors and folding in).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from classifier.pipeline.config import Config, LoansConfig
from classifier.pipeline.features.base import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.features.neighbours import nearest
from classifier.pipeline.records import Bool, Catalogue, Float32, Int64, LoanTable

_MIN_NORM = 1e-4  # a shorter row is rounding error and must not be scaled to unit length


def book_borrower_matrix(loans: LoanTable) -> sp.csr_matrix:
    """Return the weighted loans, (len(loans.book_ids), n_borrowers), float32, rows of unit length.

    A pair counts once, and less the more titles the borrower had: someone who borrows everything links
    nothing. A synthetic borrower (one remaining pair of titles) weighs as much per pair as identified
    borrowers on average; as a borrower of two titles it would dominate.
    """
    shape = (len(loans.book_ids), loans.n_borrowers)
    pairs = sp.csr_matrix((np.ones(len(loans), np.float32), (loans.book, loans.borrower)), shape=shape)
    pairs.data[:] = 1
    if not pairs.nnz:
        return pairs
    books_a_borrower = np.asarray(pairs.sum(axis=0)).ravel()
    identified = books_a_borrower[: loans.first_synthetic]
    if pairs_a_borrower := float(np.sum(identified * (identified - 1))):
        books_a_borrower[len(identified) :] = pairs_a_borrower / np.sum(np.maximum(identified - 1, 0))
    return normalize(pairs @ sp.diags_array(1 / np.sqrt(np.maximum(books_a_borrower, 1)))).astype(np.float32)


class LoansModality(Modality):
    """Co-borrowing factors and links of a book."""

    name = "loans"

    def __init__(self, *, settings: LoansConfig) -> None:
        self.settings = settings
        self.known: dict[str, int] = {}  # row in `projection` of each book with factors
        self.position: Int64 = np.zeros(0, np.int64)  # index of those among the books at `fit`
        self.n_books = 0  # at `fit`
        self.projection: Float32 = np.zeros((0, settings.factors), np.float32)  # (n_known, factors)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.loans)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        matrix = book_borrower_matrix(catalogue.loans)
        rows = np.flatnonzero(np.diff(matrix.indptr))
        self.known = {catalogue.loans.book_ids[row]: i for i, row in enumerate(rows.tolist())}
        index = {book.id: i for i, book in enumerate(catalogue.books)}
        self.position = np.array([index.get(book, -1) for book in self.known], np.int64)
        self.n_books = len(catalogue.books)
        self.projection = np.zeros((len(rows), self.settings.factors), np.float32)
        factors = min(self.settings.factors, len(rows) - 1, matrix.shape[1] - 1)
        if factors > 0:
            left_vectors, singular_values, _ = randomized_svd(
                matrix[rows], factors, random_state=int(rng.integers(2**31)), n_iter=4
            )
            significant = (
                singular_values > singular_values[0] * 1e-5
            )  # the division would amplify smaller ones, which are noise
            self.projection[:, :factors][:, significant] = (
                left_vectors[:, significant] / singular_values[significant]
            )
        return self

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="vector", shape=(self.settings.factors,))

    def transform(self, catalogue: Catalogue) -> Float32:
        return self._factors_and_links(catalogue)[0]

    def present(self, catalogue: Catalogue) -> Bool:
        return np.asarray(self.transform(catalogue).any(axis=1))

    def block(self, catalogue: Catalogue) -> Block:
        values, links = self._factors_and_links(catalogue)
        return Block(values=values, present=np.asarray(values.any(axis=1)), spec=self.spec, links=links)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        values = {"known": list(self.known), "n_books": self.n_books}
        return values, {"projection": self.projection, "position": self.position}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.known = {book: i for i, book in enumerate(values["known"])}
        self.n_books = values["n_books"]
        self.projection, self.position = tensors["projection"], tensors["position"]
        if self.projection.shape != (len(self.known), self.settings.factors):
            raise ValueError("projection does not match the books.")
        if self.projection.dtype != np.float32 or self.position.dtype != np.int64:
            raise TypeError("projection or position has another type.")
        if self.position.shape != (len(self.known),) or self.position.max(initial=-1) >= self.n_books:
            raise ValueError("position does not match the books.")
        return self

    def _factors_and_links(self, catalogue: Catalogue) -> tuple[Float32, sp.csr_matrix]:
        n = len(catalogue.books)
        features = np.zeros((n, self.settings.factors), np.float32)
        links = sp.csr_matrix((n, self.n_books), dtype=np.float32)
        folding: _Folding | None = catalogue.loans.memo.get(self)
        if folding is None or folding.projection is not self.projection:
            folding = catalogue.loans.memo[self] = self._folding(catalogue.loans)
        row_of = folding.row_of
        pairs = [(i, row_of[book.id]) for i, book in enumerate(catalogue.books) if book.id in row_of]
        if not pairs or not len(folding.borrowers):
            return features, links
        rows, titles = map(np.array, zip(*pairs, strict=True))
        folded = folding.matrix[titles] @ folding.borrowers
        # At most of length 1: the share of the borrowers that the factors cover.
        folded[np.linalg.norm(folded, axis=1) < _MIN_NORM] = 0
        features[rows] = folded
        # Only the direction matters; sqrt(d) gives entries of about 1.
        features = np.asarray(normalize(features) * np.float32(np.sqrt(self.settings.factors)))
        near = nearest(
            folding.matrix[titles],
            self.settings.neighbours,
            known=folding.known,
            self_index=folding.place[titles],
        ).tocoo()
        links = sp.csr_matrix((near.data, (rows[near.row], folding.position[near.col])), shape=links.shape)
        return features, normalize(links, norm="l1", copy=False)

    def _folding(self, loans: LoanTable) -> "_Folding":
        """Precompute folding in; `borrowers` is empty if no title of the loans has factors."""
        matrix = book_borrower_matrix(loans)
        row_of = {book: row for row, book in enumerate(loans.book_ids)}
        pairs = [(row_of[book], known) for book, known in self.known.items() if book in row_of]
        rows, known = np.array(pairs, np.int64).reshape(-1, 2).T
        borrowers = matrix[rows].T @ self.projection[known] if pairs else self.projection[:0]
        at_fit = self.position[known] >= 0  # books with loans need not be in the catalogue at `fit`
        place = np.full(matrix.shape[0], -1)
        place[rows[at_fit]] = np.arange(at_fit.sum())
        return _Folding(
            projection=self.projection,
            matrix=matrix,
            row_of=row_of,
            borrowers=borrowers,
            known=matrix[rows[at_fit]].tocsc(),
            position=self.position[known[at_fit]],
            place=place,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folding:
    """Everything that a fitted modality needs of a loan table, independent of the books.

    `projection` (n_known, factors): identifies the fit.
    `matrix` (n_titles, n_borrowers): `book_borrower_matrix`, the row of each title in `row_of`.
    `borrowers` (n_borrowers, factors).
    `known` (n_known, n_borrowers): rows of titles among the books at `fit`, at index `position`.
    `place` (n_titles,): index of each title in `known`, or -1.
    """

    projection: Float32
    matrix: sp.csr_matrix
    row_of: dict[str, int]
    borrowers: Float32
    known: sp.csc_matrix
    position: Int64
    place: Int64
