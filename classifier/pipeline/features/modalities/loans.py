"""Loans: a book is known by what its borrowers also borrowed.

The factors are those of latent semantic analysis with borrowers in the place of words: the singular
vectors of the book-by-borrower matrix. What is kept is one row a book; a book that comes later is folded
in through the borrowers it shares with known ones, so no key of a borrower is ever stored. Beside the
factors stand the links: the titles that a book is most often borrowed with.

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

_ROUNDING = 1e-4  # a shorter row is what rounding left of none, and must not be brought to full length


def book_borrower_matrix(loans: LoanTable) -> sp.csr_matrix:
    """Return who borrowed what, (len(loans.book_ids), n_borrowers), float32, rows of unit length.

    A loan counts once a pair, and less the more its borrower borrows: someone who borrows everything
    ties no two books together. A made-up borrower, of whom one pair of titles is left, counts as much as
    those of whom all is known count for a pair on average; as readers of two titles they would drown them.
    """
    shape = (len(loans.book_ids), loans.n_borrowers)
    pairs = sp.csr_matrix((np.ones(len(loans), np.float32), (loans.book, loans.borrower)), shape=shape)
    pairs.data[:] = 1
    if not pairs.nnz:
        return pairs
    books_a_borrower = np.asarray(pairs.sum(axis=0)).ravel()
    known = books_a_borrower[: loans.known]
    if pairs_a_borrower := float(np.sum(known * (known - 1))):
        books_a_borrower[len(known) :] = pairs_a_borrower / np.sum(np.maximum(known - 1, 0))
    return normalize(pairs @ sp.diags_array(1 / np.sqrt(np.maximum(books_a_borrower, 1)))).astype(np.float32)


class LoansModality(Modality):
    """Co-borrowing factors of a book."""

    name = "loans"

    def __init__(self, *, settings: LoansConfig) -> None:
        self.settings = settings
        self.known: dict[str, int] = {}  # books with factors, in the order of `projection`
        self.position: Int64 = np.zeros(0, np.int64)  # of those among the books at `fit`
        self.n_books = 0  # at `fit`
        self.projection: Float32 = np.zeros((0, settings.factors), np.float32)  # (n_known, factors)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.loans)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        matrix = book_borrower_matrix(catalogue.loans)
        rows = np.flatnonzero(np.diff(matrix.indptr))
        self.known = {catalogue.loans.book_ids[row]: i for i, row in enumerate(rows.tolist())}
        at = {book.id: i for i, book in enumerate(catalogue.books)}
        self.position = np.array([at.get(book, -1) for book in self.known], np.int64)
        self.n_books = len(catalogue.books)
        self.projection = np.zeros((len(rows), self.settings.factors), np.float32)
        factors = min(self.settings.factors, len(rows) - 1, matrix.shape[1] - 1)
        if factors > 0:
            left, values, _ = randomized_svd(
                matrix[rows], factors, random_state=int(rng.integers(2**31)), n_iter=4
            )
            solid = values > values[0] * 1e-5  # what is smaller is noise that the division would blow up
            self.projection[:, :factors][:, solid] = left[:, solid] / values[solid]
        return self

    @property
    def spec(self) -> BlockSpec:
        return BlockSpec(kind="vector", shape=(self.settings.factors,))

    def transform(self, catalogue: Catalogue) -> Float32:
        return self._read(catalogue)[0]

    def present(self, catalogue: Catalogue) -> Bool:
        return np.asarray(self.transform(catalogue).any(axis=1))

    def block(self, catalogue: Catalogue) -> Block:
        values, links = self._read(catalogue)
        return Block(values=values, present=np.asarray(values.any(axis=1)), spec=self.spec, links=links)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        values = {"known": list(self.known), "n_books": self.n_books}
        return values, {"projection": self.projection, "position": self.position}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.known = {book: i for i, book in enumerate(values["known"])}
        self.n_books = values["n_books"]
        self.projection, self.position = tensors["projection"], tensors["position"]
        if self.projection.shape != (len(self.known), self.settings.factors):
            raise ValueError("There is not one row of factors for each book.")
        if self.projection.dtype != np.float32 or self.position.dtype != np.int64:
            raise TypeError("Factors or positions are no such numbers.")
        if self.position.shape != (len(self.known),) or self.position.max(initial=-1) >= self.n_books:
            raise ValueError("There is not one position for each book.")
        return self

    def _read(self, catalogue: Catalogue) -> tuple[Float32, sp.csr_matrix]:
        """Return factors (n_books, factors) and links (n_books, n_books at `fit`)."""
        n = len(catalogue.books)
        features = np.zeros((n, self.settings.factors), np.float32)
        links = sp.csr_matrix((n, self.n_books), dtype=np.float32)
        folding: _Folding | None = catalogue.loans.memo.get(self)
        if folding is None or folding.projection is not self.projection:
            folding = catalogue.loans.memo[self] = self._folding(catalogue.loans)
        row_of = folding.row_of
        asked = [(i, row_of[book.id]) for i, book in enumerate(catalogue.books) if book.id in row_of]
        if not asked or not len(folding.borrowers):
            return features, links
        at, wanted = map(np.array, zip(*asked, strict=True))
        folded = folding.matrix[wanted] @ folding.borrowers
        # Of length 1 at most: the share of the readers that factors know.
        folded[np.linalg.norm(folded, axis=1) < _ROUNDING] = 0
        features[at] = folded
        # Directions matter, not how often a book is borrowed; sqrt(d) gives entries of about 1.
        features = np.asarray(normalize(features) * np.float32(np.sqrt(self.settings.factors)))
        near = nearest(
            folding.matrix[wanted],
            self.settings.neighbours,
            known=folding.known,
            itself=folding.place[wanted],
        ).tocoo()
        links = sp.csr_matrix((near.data, (at[near.row], folding.position[near.col])), shape=links.shape)
        return features, normalize(links, norm="l1", copy=False)

    def _folding(self, loans: LoanTable) -> "_Folding":
        """Work out what books that come later are folded in through; without borrowers if none is known."""
        matrix = book_borrower_matrix(loans)
        row_of = {book: row for row, book in enumerate(loans.book_ids)}
        pairs = [(row_of[book], known) for book, known in self.known.items() if book in row_of]
        rows, known = np.array(pairs, np.int64).reshape(-1, 2).T
        borrowers = matrix[rows].T @ self.projection[known] if pairs else self.projection[:0]
        there = self.position[known] >= 0  # a book with loans may have been none of the books at `fit`
        place = np.full(matrix.shape[0], -1)
        place[rows[there]] = np.arange(there.sum())
        return _Folding(
            projection=self.projection,
            matrix=matrix,
            row_of=row_of,
            borrowers=borrowers,
            known=matrix[rows[there]].tocsc(),
            position=self.position[known[there]],
            place=place,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folding:
    """What a table of loans says to a fitted modality, whatever book it is asked about.

    Attributes
    ----------
    projection : float array (n_known, factors)
        What the modality had learned then.
    matrix : CSR matrix (n_titles, n_borrowers)
        See `book_borrower_matrix`.
    row_of : dict of str to int
        Row of each title.
    borrowers : float array (n_borrowers, factors)
        Empty where the loans are of no title that has factors.
    known : CSC matrix (n_known, n_borrowers)
        Rows of the titles that were among the books at `fit`.
    position : int array (n_known,)
        Where they stood among them.
    place : int array (n_titles,)
        Where each title stands among the known; -1 where it does not.
    """

    projection: Float32
    matrix: sp.csr_matrix
    row_of: dict[str, int]
    borrowers: Float32
    known: sp.csc_matrix
    position: Int64
    place: Int64
