"""Loans: a book is known by what its borrowers also borrowed.

The factors are those of latent semantic analysis with borrowers in the place of words: the singular
vectors of the book-by-borrower matrix. What is kept is one row a book; a book that comes later is folded
in through the borrowers it shares with known ones, so no key of a borrower is ever stored.

References
----------
Deerwester et al., Indexing by Latent Semantic Analysis, JASIS 41(6), 1990 (factors and folding in).
"""

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from classifier.pipeline.config import Config, LoansConfig
from classifier.pipeline.modality import Block, BlockSpec, Modality, Tensors
from classifier.pipeline.records import Bool, Catalogue, Float32, LoanTable

_ROUNDING = 1e-4  # a shorter row is what rounding left of none, and must not be brought to full length


def book_borrower_matrix(loans: LoanTable) -> sp.csr_matrix:
    """Return who borrowed what, (len(loans.book_ids), n_borrowers), float32, rows of unit length.

    A loan counts once a pair, and less the more its borrower borrows: someone who borrows everything
    ties no two books together.
    """
    shape = (len(loans.book_ids), loans.n_borrowers)
    pairs = sp.csr_matrix((np.ones(len(loans), np.float32), (loans.book, loans.borrower)), shape=shape)
    pairs.data[:] = 1
    if not pairs.nnz:
        return pairs
    books_a_borrower = np.asarray(pairs.sum(axis=0)).ravel()
    return normalize(pairs @ sp.diags_array(1 / np.sqrt(np.maximum(books_a_borrower, 1)))).astype(np.float32)


class LoansModality(Modality):
    """Co-borrowing factors of a book."""

    name = "loans"

    def __init__(self, *, settings: LoansConfig) -> None:
        self.settings = settings
        self.known: dict[str, int] = {}
        self.projection: Float32 = np.zeros((0, settings.factors), np.float32)  # (n_known, factors)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(settings=config.loans)

    def fit(self, catalogue: Catalogue, *, rng: np.random.Generator) -> Self:
        matrix = book_borrower_matrix(catalogue.loans)
        rows = np.flatnonzero(np.diff(matrix.indptr))
        self.known = {catalogue.loans.book_ids[row]: i for i, row in enumerate(rows.tolist())}
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
        matrix = book_borrower_matrix(catalogue.loans)
        row_of = {book: row for row, book in enumerate(catalogue.loans.book_ids)}
        features = np.zeros((len(catalogue.books), self.settings.factors), np.float32)
        pairs = [(row_of[book], known) for book, known in self.known.items() if book in row_of]
        asked = [(i, row_of[book.id]) for i, book in enumerate(catalogue.books) if book.id in row_of]
        if not pairs or not asked:
            return features
        rows, known = map(list, zip(*pairs, strict=True))
        borrowers = matrix[rows].T @ self.projection[known]  # (n_borrowers, factors), gone with this call
        at, rows = map(list, zip(*asked, strict=True))
        folded = matrix[rows] @ borrowers  # lengths up to 1: the share of a book's readers that factors know
        folded[np.linalg.norm(folded, axis=1) < _ROUNDING] = 0
        features[at] = folded
        # Directions matter, not how often a book is borrowed; sqrt(d) gives entries of about 1.
        return np.asarray(normalize(features) * np.float32(np.sqrt(self.settings.factors)))

    def present(self, catalogue: Catalogue) -> Bool:
        return np.asarray(self.transform(catalogue).any(axis=1))

    def block(self, catalogue: Catalogue) -> Block:
        values = self.transform(catalogue)
        return Block(values=values, present=np.asarray(values.any(axis=1)), spec=self.spec)

    def state(self) -> tuple[dict[str, Any], Tensors]:
        return {"known": list(self.known)}, {"projection": self.projection}

    def load_state(self, values: dict[str, Any], tensors: Tensors) -> Self:
        self.known = {book: i for i, book in enumerate(values["known"])}
        self.projection = tensors["projection"]
        return self
