"""What to recommend on request: to one borrower, and beside one book.

It needs numpy, which a web process loads with the first such request and not before.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from django.db.models import Exists, Max, OuterRef

from classifier.messages import in_words
from classifier.models import Feedback, TitleLinks
from classifier.pipeline.config import SOURCES, RecommendConfig
from classifier.pipeline.recommender.reranking import History, Pick, best_titles, named, unpacked
from classifier.pipeline.recommender.series import groups_of
from classifier.pipeline.records import Float32, Int64
from classifier.selectors.fallbacks import filling
from library.catalogue.models import Book, Copy
from library.catalogue.selectors.categories import with_those_below
from library.circulation.models import Loan
from library.db import KEYS_A_QUERY, batches

_AT_ONCE = 50
"""Titles looked up together: the first are mostly those that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """A title, and why.

    Attributes
    ----------
    rank : int
        From 1.
    book : Book
        With its category, and ``is_available``: whether a copy can be had now.
    score : float
    sources : tuple of str
        See `classifier.pipeline.recommender.reranking.Pick`.
    because : Book or None
        The title that brought most.
    """

    rank: int
    book: Book
    score: float
    sources: tuple[str, ...]
    because: Book | None = None

    @property
    def reason(self) -> str:
        """Why, as a sentence in the current language."""
        return in_words(self.sources, title=self.because.title if self.because else "")


def advised_titles(
    *,
    borrower: int,
    n: int,
    settings: RecommendConfig,
    offset: int = 0,
    again: bool = False,
    category: int | None = None,
    language: str = "",
    available: bool = False,
) -> list[Advised]:
    """Return titles for a borrower, from the loans that are still known and what was said of titles.

    Parameters
    ----------
    borrower : int
        Primary key. Who has no loans gets titles like those liked, then what is new and popular.
    n : int
    settings : RecommendConfig
    offset : int
        Titles to pass over first.
    again : bool
        Whether titles borrowed may come again.
    category : int, optional
        Key: only books of this category and of those below it.
    language : str
    available : bool
        Only titles of which a copy can be had now; else they are marked.
    """
    rows = (
        Loan.objects.filter(borrower=borrower)
        .order_by()
        .values_list("copy__book")
        .annotate(last=Max("borrowed_at"))
    )
    loans = sorted((book, last.timestamp()) for book, last in rows)
    said = Feedback.objects.filter(borrower=borrower).values_list("book", "verdict")
    opinions: dict[str, list[int]] = {verdict: [] for verdict in Feedback.Verdict}
    for book, verdict in said:
        opinions[verdict].append(book)
    history = History.of(
        borrowed=np.array([book for book, _at in loans], np.int64),
        borrowed_at=np.array([int(at) for _book, at in loans], np.int64),
        liked=opinions[Feedback.Verdict.LIKED],
        unwanted=opinions[Feedback.Verdict.NOT_THIS],
        settings=settings,
    )
    shelf = _Shelf(category=category, language=language, available=available)
    picks = best_titles(
        history,
        links=_links(history.titles),
        filling=filling(
            history.titles[history.weight > 0].tolist(),
            category=category,
            language=language,
            available=available,
        ),
        n=offset + n,
        page=n,
        again=again,
        groups=shelf.groups,
        kept=shelf.kept,
        settings=settings,
    )[offset:]
    because = Book.objects.in_bulk({pick.because for pick in picks if pick.because >= 0})
    return [
        Advised(
            rank=rank,
            book=shelf.found[pick.title],
            score=pick.score,
            sources=pick.sources,
            because=because.get(pick.because),
        )
        for rank, pick in enumerate(picks, start=offset + 1)
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
) -> list[Advised]:
    """Return the titles nearest to one, by some sources together.

    Parameters
    ----------
    book : int
        Primary key.
    n, offset, category, language, available
        As `advised_titles` takes them.
    by : collection of {"loans", "text", "cover", "theme"}
    """
    content = TitleLinks.objects.filter(book=book).values_list("alike", flat=True).first()
    if content is None:
        return []
    other, parts = unpacked(bytes(content))
    parts = parts * np.isin(SOURCES, list(by))
    shelf = _Shelf(category=category, language=language, available=available)
    picks = (
        Pick(title=int(other[k]), score=float(parts[k].sum()), sources=named(parts[k]), because=book)
        for k in nearest_first(other, parts)
    )
    found = [pick for pick, _number in zip(shelf.kept(picks), range(offset + n), strict=False)][offset:]
    return [
        Advised(rank=rank, book=shelf.found[pick.title], score=pick.score, sources=pick.sources)
        for rank, pick in enumerate(found, start=offset + 1)
    ]


def similar_to_each(*, books: Collection[int], most: int) -> dict[int, list[Book]]:
    """Return the titles nearest to each of some books with their categories, the nearest first.

    Parameters
    ----------
    books : collection of int
        Primary keys.
    most : int
    """
    near: dict[int, list[int]] = {}
    for book, content in TitleLinks.objects.filter(book__in=books).values_list("book", "alike"):
        other, parts = unpacked(bytes(content))
        near[book] = other[nearest_first(other, parts)[:most]].tolist()
    found = Book.objects.select_related("category").in_bulk({pk for pks in near.values() for pk in pks})
    return {book: [found[pk] for pk in pks if pk in found] for book, pks in near.items()}


def nearest_first(other: Int64, parts: Float32) -> list[int]:
    """Return the places of the titles that are alike at all, the most alike first.

    Parameters
    ----------
    other : int array (n_titles,)
    parts : float array (n_titles, n_sources)
    """
    scores = parts.sum(axis=1)
    return [k for k in np.lexsort((other, -scores)).tolist() if scores[k] > 0]


def _links(titles: Int64) -> tuple[Int64, Int64, Float32]:
    """Return the links of some titles as `best_titles` takes them."""
    rows: dict[int, bytes | memoryview] = {}
    for some in batches(titles.tolist(), KEYS_A_QUERY):
        rows.update(TitleLinks.objects.filter(book__in=some).values_list("book", "following"))
    read = [unpacked(bytes(rows.get(title, b""))) for title in titles.tolist()]
    if not read:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, len(SOURCES)), np.float32)
    owner = np.repeat(np.arange(len(read)), [len(other) for other, _parts in read])
    return (
        owner,
        np.concatenate([other for other, _parts in read]),
        np.concatenate([parts for _other, parts in read]),
    )


class _Shelf:
    """The books of a list, looked up some at a time, in their order.

    Attributes
    ----------
    found : dict
        Those that may be in the list, by primary key.
    """

    def __init__(self, *, category: int | None, language: str, available: bool) -> None:
        copies = Copy.objects.filter(book=OuterRef("pk"), status=Copy.Status.AVAILABLE)
        books = Book.objects.select_related("category").annotate(is_available=Exists(copies))
        if category is not None:
            books = books.filter(category__in=with_those_below(category=category))
        if language:
            books = books.filter(language=language)
        if available:
            books = books.filter(is_available=True)
        self._books = books
        self.found: dict[int, Book] = {}

    def kept(self, picks: Iterable[Pick]) -> Iterator[Pick]:
        """Yield the titles that may be in the list."""
        for some in batches(picks, _AT_ONCE):
            self.found |= self._books.in_bulk([pick.title for pick in some])
            yield from (pick for pick in some if pick.title in self.found)

    def groups(self, title: int) -> list[str]:
        book = self.found[title]
        return groups_of(authors=book.authors, title=book.title)
