"""Recommendations from co-borrowing and content.

A sparse linear regression with a squared penalty predicts each title from its nearest titles. A word counts
like a borrower of every title that contains it, and so do common features of covers and themes. So
never-borrowed titles are predicted by content, and each weight is a sum of parts by source, from which
reasons are derived.

Pairs with fewer than ``min_borrowers`` shared borrowers are suppressed before learning, so nothing depends on
the loans of a single person.

References
----------
As in `item_regression`; Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from classifier.pipeline.config import RecommendConfig, Source
from classifier.pipeline.features.base import Progress, no_progress
from classifier.pipeline.features.neighbours import largest, nearest, nearest_dense
from classifier.pipeline.recommender.cooccurrence import (
    borrower_weights,
    borrowing_matrix,
    cooccurrence_matrix,
)
from classifier.pipeline.recommender.item_links import ItemLinks
from classifier.pipeline.recommender.item_regression import Content, regress
from classifier.pipeline.recommender.reranking import Candidate, History, top_n
from classifier.pipeline.recommender.series import groups_of
from classifier.pipeline.records import Float64, Int64, LoanTable

_CHUNK = 2048  # borrowers between progress reports
_DIRECTIONS = 128  # of dense content: a sixth of the network's dimensions, a sixth of the time
_MAX_DOCUMENT_FREQUENCY = 500  # more common terms do not indicate similarity
_PHASE_NOUNS = {"text": "texts", "cover": "covers", "theme": "topics"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedTitle:
    """A title recommended to a borrower, by the number in the `LoanTable`; the first rank is 1.

    Attributes
    ----------
    because
        The borrowed title that contributed most, the title itself for "again"; empty for fillers.
    """

    borrower: int
    rank: int
    book: str
    score: float
    sources: tuple[Source, ...]
    because: str


class Recommender:
    """Item-based recommender.

    Attributes
    ----------
    next_titles_
        Contribution of a borrowed title to the scores of others.
    similar_titles_
        Nearest other titles of each, by source (cosines).
    popular_titles_ : (n_popular,)
        Indices into `book_ids`, most borrowed first, suppressed for few loans.
    """

    def __init__(self, *, settings: RecommendConfig) -> None:
        self.settings = settings

    def fit(
        self,
        loans: LoanTable,
        *,
        book_ids: Sequence[str],
        content: Mapping[str, Content],
        authors: Sequence[str] | None = None,
        titles: Sequence[str] | None = None,
        progress: Progress = no_progress,
    ) -> Self:
        """Learn the links between titles; loans of others than `book_ids` are ignored.

        Parameters
        ----------
        content : (n_books, d)
            By source: weighted terms (``text``), features of covers (``cover``), encodings (``theme``); zero
            rows where unknown.
        authors, titles
            Of the books, to limit an author's or a series' share; empty if unknown.
        """
        n = len(book_ids)
        self.book_ids = list(book_ids)
        self.loans = loans.of_books(self.book_ids)
        self._groups = [
            groups_of(authors=author, title=title)
            for author, title in zip(authors or [""] * n, titles or [""] * n, strict=True)
        ]
        borrowed = borrowing_matrix(self.loans)
        shared = cooccurrence_matrix(
            borrowed,
            weight=borrower_weights(borrowed, first_synthetic=self.loans.first_synthetic),
            min_borrowers=self.settings.min_borrowers,
        )
        normalised = {source: _unit(values) for source, values in content.items()}
        near = self._nearest(shared, normalised, progress)
        factor = sp.diags_array(self._score_factors())
        parts = regress(
            candidates=sp.csr_matrix(sum(near.values(), start=sp.csr_matrix((n, n), dtype=np.float32))),
            shared=shared,
            content=normalised,
            weights={source: self._setting(source, "weight", 1.0) for source in normalised},
            penalty=self.settings.penalty,
            progress=progress,
        )
        self.next_titles_ = ItemLinks.strongest(
            {source: sp.csr_matrix(part @ factor) for source, part in parts.items()},
            max_links=self.settings.neighbours,
            n=n,
        )
        similar = {
            source: self._setting(source, "share", 1.0) * links for source, links in near.items() if links.nnz
        }
        self.similar_titles_ = ItemLinks.strongest(similar, max_links=self.settings.neighbours, n=n)
        loan_counts = self.loans.popularity
        n_popular = np.count_nonzero(loan_counts >= self.settings.min_borrowers)
        self.popular_titles_ = np.argsort(-loan_counts, kind="stable")[:n_popular]
        return self

    def _setting(self, source: str, name: str, default: float) -> float:
        return float(getattr(self.settings, f"{source}_{name}", default))

    def _score_factors(self) -> Float64:
        times = self.loans.popularity
        return np.where(
            times > 0, (times + 1.0) ** self.settings.popular_power, self.settings.new_title_factor
        )

    def _nearest(
        self, shared: sp.csr_matrix, content: Mapping[str, Content], progress: Progress
    ) -> dict[str, sp.csr_matrix]:
        """Return the possible predictors of each title by source, (n_books, n_books) each."""
        progress("comparing loans", 0, 1)
        near = {"loans": largest(_cosines(shared), self.settings.near_by_loans)}
        progress("comparing loans", 1, 1)
        for source, rows in content.items():
            k = getattr(self.settings, f"near_by_{source}")
            on_step = partial(progress, f"comparing {_PHASE_NOUNS.get(source, source)}")
            near[source] = (
                nearest(rows, k, on_step=on_step)
                if sp.issparse(rows)
                else nearest_dense(np.asarray(rows), k, on_step=on_step)
            )
        return near

    def recommend(
        self,
        *,
        n: int,
        include_borrowed: bool = False,
        liked: Mapping[int, Sequence[int]] = MappingProxyType({}),
        unwanted: Mapping[int, Sequence[int]] = MappingProxyType({}),
        fallback: Callable[[Int64], Iterable[Candidate]] | None = None,
        only: Container[int] | None = None,
        progress: Progress = no_progress,
    ) -> Iterator[RecommendedTitle]:
        """Yield up to `n` titles for each identified borrower with a loan, or of `only` some.

        Parameters
        ----------
        include_borrowed
            Whether titles may repeat.
        liked, unwanted
            By borrower, indices into `book_ids`.
        fallback
            Returns titles that fill up a list, given those borrowed or liked; None: the most popular.
        """
        popular = [
            Candidate(title=title, score=0.0, sources=("popular",)) for title in self.popular_titles_.tolist()
        ]
        for done, (borrower, borrowed, times) in enumerate(self.loans.histories()):
            if done % _CHUNK == 0:
                progress("generating recommendations", done, self.loans.n_identified)
            if only is not None and borrower not in only:
                continue
            history = History.of(
                borrowed=borrowed,
                borrowed_at=times,
                liked=liked.get(borrower, ()),
                unwanted=unwanted.get(borrower, ()),
                settings=self.settings,
            )
            candidates = top_n(
                history,
                links=self.next_titles_.of(history.titles),
                fallback=popular if fallback is None else fallback(history.titles[history.weight > 0]),
                n=n,
                include_borrowed=include_borrowed,
                groups=self._groups.__getitem__,
                settings=self.settings,
            )
            for rank, candidate in enumerate(candidates, start=1):
                yield RecommendedTitle(
                    borrower=borrower,
                    rank=rank,
                    book=self.book_ids[candidate.title],
                    score=candidate.score,
                    sources=candidate.sources,
                    because=self.book_ids[candidate.because] if candidate.because >= 0 else "",
                )
        progress("generating recommendations", self.loans.n_identified, self.loans.n_identified)

    def lists(self, *, n: int, include_borrowed: bool = False, progress: Progress = no_progress) -> Int64:
        """Return indices into `book_ids` of `n` titles for each borrower, (n_borrowers, n); -1 pads."""
        position = {book: i for i, book in enumerate(self.book_ids)}
        lists = np.full((self.loans.n_borrowers, n), -1, np.int64)
        for item in self.recommend(n=n, include_borrowed=include_borrowed, progress=progress):
            lists[item.borrower, item.rank - 1] = position[item.book]
        return lists


def _cosines(shared: sp.csr_matrix) -> sp.csr_matrix:
    norm = np.sqrt(np.maximum(shared.diagonal(), 1e-9))
    entries = sp.coo_matrix(shared)
    other = entries.row != entries.col
    row, column = entries.row[other], entries.col[other]
    values = entries.data[other] / (norm[row] * norm[column])
    return sp.csr_matrix((values, (row, column)), shape=shared.shape, dtype=np.float32)


def _unit(values: Content) -> Content:
    """Return rows of unit length.

    Drops frequent terms, which cost most and indicate least; dense content is reduced to its main directions.
    """
    if isinstance(values, np.ndarray):
        if not len(values):
            return np.asarray(values, np.float32)
        unit = np.asarray(normalize(values), np.float32)
        if unit.shape[1] > _DIRECTIONS:
            # The best low-rank approximation of the products (Eckart and Young, 1936).
            _lengths, directions = np.linalg.eigh(unit.T @ unit)
            unit = np.asarray(normalize(unit @ directions[:, -_DIRECTIONS:]), np.float32)
        return unit
    books = np.bincount(values.indices, minlength=values.shape[1])
    informative = values[:, books <= min(max(50, values.shape[0] // 100), _MAX_DOCUMENT_FREQUENCY)]
    return (
        normalize(informative).tocsr() if informative.nnz else informative.tocsr()
    )  # normalize rejects zero columns
