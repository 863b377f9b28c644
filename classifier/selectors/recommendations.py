"""Recommendations on request: for one borrower, and similar titles of one book.

This module needs numpy, which a web process loads with the first such request and not before.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from django.db.models import Exists, Max, OuterRef

from classifier.messages import recommendation_reason
from classifier.models import Feedback, ItemNeighbours
from classifier.pipeline.config import SOURCES, RecommendConfig
from classifier.pipeline.recommender.reranking import (
    Candidate,
    History,
    contributing_sources,
    top_n,
    unpack_links,
)
from classifier.pipeline.recommender.series import groups_of
from classifier.pipeline.records import Float32, Int64
from classifier.selectors.fallbacks import fallback_titles
from library.catalogue.models import Book, Copy
from library.catalogue.selectors.categories import descendants
from library.circulation.models import Loan
from library.db import KEYS_PER_QUERY, batches

_LOOKUP_SIZE = 50
"""Books looked up together: mostly the first ones are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleRecommendation:
    """A recommended title and the reason.

    Attributes
    ----------
    rank
        From 1.
    book
        With its category, and ``is_available``: whether a copy is available now.
    sources
        See `classifier.pipeline.recommender.reranking.Candidate`.
    because
        The title that contributed most.
    """

    rank: int
    book: Book
    score: float
    sources: tuple[str, ...]
    because: Book | None = None

    @property
    def reason(self) -> str:
        """The reason as a sentence in the current language."""
        return recommendation_reason(self.sources, title=self.because.title if self.because else "")


def recommended_titles(
    *,
    borrower: int,
    n: int,
    settings: RecommendConfig,
    offset: int = 0,
    include_borrowed: bool = False,
    category: int | None = None,
    language: str = "",
    available: bool = False,
) -> list[TitleRecommendation]:
    """Return titles for a borrower, from the loans that are stored with a borrower and from feedback.

    Parameters
    ----------
    borrower
        Primary key. A borrower without loans gets titles similar to those liked, then new and popular ones.
    offset
        Titles to skip.
    include_borrowed
        Titles that the borrower has had may be included.
    category
        Primary key; includes its descendants.
    available
        Only titles with an available copy.
    """
    rows = (
        Loan.objects.filter(borrower=borrower)
        .order_by()
        .values_list("copy__book")
        .annotate(last=Max("borrowed_at"))
    )
    loans = sorted((book, last.timestamp()) for book, last in rows)
    verdicts: dict[str, list[int]] = {verdict: [] for verdict in Feedback.Verdict}
    for book, verdict in Feedback.objects.filter(borrower=borrower).values_list("book", "verdict"):
        verdicts[verdict].append(book)
    history = History.of(
        borrowed=np.array([book for book, _at in loans], np.int64),
        borrowed_at=np.array([int(at) for _book, at in loans], np.int64),
        liked=verdicts[Feedback.Verdict.LIKED],
        unwanted=verdicts[Feedback.Verdict.NOT_THIS],
        settings=settings,
    )
    lookup = _BookLookup(category=category, language=language, available=available)
    candidates = top_n(
        history,
        links=_links(history.titles),
        fallback=fallback_titles(
            history.titles[history.weight > 0].tolist(),
            category=category,
            language=language,
            available=available,
        ),
        n=offset + n,
        page=n,
        include_borrowed=include_borrowed,
        groups=lookup.groups,
        keep=lookup.keep,
        settings=settings,
    )[offset:]
    because = Book.objects.in_bulk({item.because for item in candidates if item.because >= 0})
    return [
        TitleRecommendation(
            rank=rank,
            book=lookup.books[item.title],
            score=item.score,
            sources=item.sources,
            because=because.get(item.because),
        )
        for rank, item in enumerate(candidates, start=offset + 1)
    ]


def similar_titles(
    *,
    book: int,
    n: int,
    offset: int = 0,
    by: Collection[str] = SOURCES,
    category: int | None = None,
    language: str = "",
    available: bool = False,
) -> list[TitleRecommendation]:
    """Return the titles most similar to one, by some sources together.

    Parameters
    ----------
    book
        Primary key.
    by : collection of {"loans", "text", "cover", "theme"}
    n, offset, category, language, available
        See `recommended_titles`.
    """
    content = ItemNeighbours.objects.filter(book=book).values_list("similar", flat=True).first()
    if content is None:
        return []
    other, parts = unpack_links(bytes(content))
    parts = parts * np.isin(SOURCES, list(by))
    lookup = _BookLookup(category=category, language=language, available=available)
    candidates = (
        Candidate(
            title=int(other[k]),
            score=float(parts[k].sum()),
            sources=contributing_sources(parts[k]),
            because=book,
        )
        for k in nearest_first(other, parts)
    )
    kept = [item for item, _number in zip(lookup.keep(candidates), range(offset + n), strict=False)][offset:]
    return [
        TitleRecommendation(rank=rank, book=lookup.books[item.title], score=item.score, sources=item.sources)
        for rank, item in enumerate(kept, start=offset + 1)
    ]


def similar_by_book(*, books: Collection[int], limit: int) -> dict[int, list[Book]]:
    """Return the titles most similar to each of some books, with their categories, most similar first.

    Parameters
    ----------
    books
        Primary keys.
    limit
        Titles per book.
    """
    neighbours: dict[int, list[int]] = {}
    for book, content in ItemNeighbours.objects.filter(book__in=books).values_list("book", "similar"):
        other, parts = unpack_links(bytes(content))
        neighbours[book] = other[nearest_first(other, parts)[:limit]].tolist()
    by_key = Book.objects.select_related("category").in_bulk(
        {pk for pks in neighbours.values() for pk in pks}
    )
    return {book: [by_key[pk] for pk in pks if pk in by_key] for book, pks in neighbours.items()}


def nearest_first(other: Int64, parts: Float32) -> list[int]:
    """Return the positions of the titles with any similarity, most similar first.

    Parameters
    ----------
    other : (n_titles,)
    parts : (n_titles, n_sources)
    """
    scores = parts.sum(axis=1)
    return [k for k in np.lexsort((other, -scores)).tolist() if scores[k] > 0]


def _links(titles: Int64) -> tuple[Int64, Int64, Float32]:
    """Return the links of some titles as `top_n` takes them."""
    rows: dict[int, bytes | memoryview] = {}
    for keys in batches(titles.tolist(), KEYS_PER_QUERY):
        rows.update(ItemNeighbours.objects.filter(book__in=keys).values_list("book", "following"))
    links = [unpack_links(bytes(rows.get(title, b""))) for title in titles.tolist()]
    if not links:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, len(SOURCES)), np.float32)
    owner = np.repeat(np.arange(len(links)), [len(other) for other, _parts in links])
    return (
        owner,
        np.concatenate([other for other, _parts in links]),
        np.concatenate([parts for _other, parts in links]),
    )


class _BookLookup:
    """Filter of candidates that looks up their books, some at a time, in order.

    `books`: books that passed the filter, by primary key.
    """

    def __init__(self, *, category: int | None, language: str, available: bool) -> None:
        copies = Copy.objects.filter(book=OuterRef("pk"), status=Copy.Status.AVAILABLE)
        queryset = Book.objects.select_related("category").annotate(is_available=Exists(copies))
        if category is not None:
            queryset = queryset.filter(category__in=descendants(category=category))
        if language:
            queryset = queryset.filter(language=language)
        if available:
            queryset = queryset.filter(is_available=True)
        self._queryset = queryset
        self.books: dict[int, Book] = {}

    def keep(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Yield the candidates whose books pass the filter."""
        for batch in batches(candidates, _LOOKUP_SIZE):
            self.books |= self._queryset.in_bulk([candidate.title for candidate in batch])
            yield from (candidate for candidate in batch if candidate.title in self.books)

    def groups(self, title: int) -> list[str]:
        book = self.books[title]
        return groups_of(authors=book.authors, title=book.title)
