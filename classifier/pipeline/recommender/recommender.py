"""Recommendations: what a borrower had says which titles come next, by who reads and by what it is about.

A sparse linear regression: each title is predicted from the titles nearest to it, with a penalty on the
squares of the weights. It learns from borrowers and from what is in the titles at once: a word counts as a
borrower who had every title that has it, and so does what covers and themes have in common. So a title that
nobody has had is predicted by its content, and a weight is a sum of parts, one a source, which is what
reasons are told from.

What fewer than ``min_borrowers`` borrowers share is left out before anything is learned: nothing rests on
what one person alone had.

References
----------
See `classifier.pipeline.recommender.item_regression`.
Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019 (the squared penalty).
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
from classifier.pipeline.recommender.cooccurrence import borrowed_together, readers, weights
from classifier.pipeline.recommender.item_links import Links
from classifier.pipeline.recommender.item_regression import Content, regress
from classifier.pipeline.recommender.reranking import History, Pick, best_titles
from classifier.pipeline.recommender.series import groups_of
from classifier.pipeline.records import Float64, Int64, LoanTable

_CHUNK = 2048  # borrowers between two reports
_DIRECTIONS = 128  # of dense content: a sixth of what the networks have costs a sixth
_MOST_BOOKS = 500  # that share a term which tells two of them alike: in larger libraries too


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """One title for one borrower.

    Attributes
    ----------
    borrower : int
        As in the `LoanTable`.
    rank : int
        From 1.
    book : str
    score : float
    sources : tuple of str
        See `classifier.pipeline.recommender.reranking.Pick`.
    because : str
        The borrowed title that contributed most, itself for "again"; empty for what fills a list up.
    """

    borrower: int
    rank: int
    book: str
    score: float
    sources: tuple[Source, ...]
    because: str


class Recommender:
    """Which titles come after which, and which are alike.

    Parameters
    ----------
    settings : RecommendConfig

    Attributes
    ----------
    following_ : Links
        What having had a title adds to the scores of others.
    alike_ : Links
        Nearest titles of each, by each source (cosines), no title its own neighbour.
    popular_ : int array (n_popular,)
        Places in `book_ids`, the most borrowed first; too few loans are nobody's business.
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
        """Learn which titles come after which.

        Parameters
        ----------
        loans : LoanTable
            Of the books in `book_ids`; loans of others are left out.
        book_ids : sequence of str
            The titles that can be recommended.
        content : mapping of str to array or CSR matrix (n_books, d)
            By source: weighted terms (``text``), and what is known of covers (``cover``) and of the whole
            (``theme``), a row of zeros where nothing is.
        authors, titles : sequence of str, optional
            Of the books in `book_ids`: no list has too many of one author or one series. Empty: unknown.
        progress : callable
        """
        n = len(book_ids)
        self.book_ids = list(book_ids)
        self.loans = loans.of_books(self.book_ids)
        self._groups = [
            groups_of(authors=author, title=title)
            for author, title in zip(authors or [""] * n, titles or [""] * n, strict=True)
        ]
        had = readers(self.loans)
        shared = borrowed_together(
            had, weight=weights(had, known=self.loans.known), least=self.settings.min_borrowers
        )
        unit = {source: _unit(values) for source, values in content.items()}
        near = self._nearest(shared, unit, progress)
        factor = sp.diags_array(self._factor())
        parts = regress(
            candidates=sp.csr_matrix(sum(near.values(), start=sp.csr_matrix((n, n), dtype=np.float32))),
            shared=shared,
            content=unit,
            weights={source: self._setting(source, "weight", 1.0) for source in unit},
            penalty=self.settings.penalty,
            progress=progress,
        )
        self.following_ = Links.strongest(
            {source: sp.csr_matrix(part @ factor) for source, part in parts.items()},
            most=self.settings.neighbours,
            n=n,
        )
        alike = {
            source: self._setting(source, "share", 1.0) * found for source, found in near.items() if found.nnz
        }
        self.alike_ = Links.strongest(alike, most=self.settings.neighbours, n=n)
        times = self.loans.popularity
        often = np.count_nonzero(times >= self.settings.min_borrowers)
        self.popular_ = np.argsort(-times, kind="stable")[:often]
        return self

    def _setting(self, source: str, name: str, default: float) -> float:
        return float(getattr(self.settings, f"{source}_{name}", default))

    def _factor(self) -> Float64:
        """Return what the score of each title is multiplied by, (n_books,)."""
        times = self.loans.popularity
        return np.where(
            times > 0, (times + 1.0) ** self.settings.popular_power, self.settings.new_title_factor
        )

    def _nearest(
        self, shared: sp.csr_matrix, content: Mapping[str, Content], progress: Progress
    ) -> dict[str, sp.csr_matrix]:
        """Return the titles that each is predicted from, by source, (n_books, n_books) each."""
        progress("comparing loans", 0, 1)
        near = {"loans": largest(_cosines(shared), self.settings.near_by_loans)}
        progress("comparing loans", 1, 1)
        for source, rows in content.items():
            k = getattr(self.settings, f"near_by_{source}")
            on_step = partial(progress, f"comparing {source}s")
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
        filling: Callable[[Int64], Iterable[Pick]] | None = None,
        only: Container[int] | None = None,
        progress: Progress = no_progress,
    ) -> Iterator[Recommended]:
        """Yield `n` titles for each known borrower who has a loan, fewer if there are fewer.

        Parameters
        ----------
        n : int
        include_borrowed : bool
            Whether titles the borrower has had may come again.
        liked, unwanted : mapping of int to sequence of int
            By borrower, where in `book_ids` the titles stand that this borrower likes or does not want.
        filling : callable, optional
            Returns what fills a list up, given the titles had or liked; left out, the most borrowed titles.
        only : container of int, optional
            The borrowers to make lists for; left out, all.
        progress : callable
        """
        popular = [Pick(title=title, score=0.0, sources=("popular",)) for title in self.popular_.tolist()]
        for done, (borrower, had, times) in enumerate(self.loans.histories()):
            if done % _CHUNK == 0:
                progress("recommending", done, self.loans.n_known)
            if only is not None and borrower not in only:
                continue
            history = History.of(
                borrowed=had,
                borrowed_at=times,
                liked=liked.get(borrower, ()),
                unwanted=unwanted.get(borrower, ()),
                settings=self.settings,
            )
            chosen = best_titles(
                history,
                links=self.following_.of(history.titles),
                filling=popular if filling is None else filling(history.titles[history.weight > 0]),
                n=n,
                again=include_borrowed,
                groups=self._groups.__getitem__,
                settings=self.settings,
            )
            for rank, pick in enumerate(chosen, start=1):
                yield Recommended(
                    borrower=borrower,
                    rank=rank,
                    book=self.book_ids[pick.title],
                    score=pick.score,
                    sources=pick.sources,
                    because=self.book_ids[pick.because] if pick.because >= 0 else "",
                )
        progress("recommending", self.loans.n_known, self.loans.n_known)

    def lists(self, *, n: int, include_borrowed: bool = False, progress: Progress = no_progress) -> Int64:
        """Return the places in `book_ids` of `n` titles for each borrower, (n_borrowers, n), -1 for none."""
        place = {book: i for i, book in enumerate(self.book_ids)}
        found = np.full((self.loans.n_borrowers, n), -1, np.int64)
        for item in self.recommend(n=n, include_borrowed=include_borrowed, progress=progress):
            found[item.borrower, item.rank - 1] = place[item.book]
        return found


def _cosines(shared: sp.csr_matrix) -> sp.csr_matrix:
    """Return what titles share beside what each has, without the diagonal."""
    own = np.sqrt(np.maximum(shared.diagonal(), 1e-9))
    found = sp.coo_matrix(shared)
    other = found.row != found.col
    row, column = found.row[other], found.col[other]
    values = found.data[other] / (own[row] * own[column])
    return sp.csr_matrix((values, (row, column)), shape=shared.shape, dtype=np.float32)


def _unit(values: Content) -> Content:
    """Return rows of unit length; without terms that many books share, which cost most and tell least, and of
    dense ones in the directions that tell most.
    """
    if isinstance(values, np.ndarray):
        if not len(values):
            return np.asarray(values, np.float32)
        unit = np.asarray(normalize(values), np.float32)
        if unit.shape[1] > _DIRECTIONS:
            # Products stay as near to what they were as so few directions allow (Eckart and Young, 1936).
            _lengths, directions = np.linalg.eigh(unit.T @ unit)
            unit = np.asarray(normalize(unit @ directions[:, -_DIRECTIONS:]), np.float32)
        return unit
    books = np.bincount(values.indices, minlength=values.shape[1])
    telling = values[:, books <= min(max(50, values.shape[0] // 100), _MOST_BOOKS)]
    return normalize(telling).tocsr() if telling.nnz else telling.tocsr()  # normalize refuses no terms at all
