"""What a borrower's list is filled up with where their titles lead to too few: what is new and popular.

New titles of the categories read come first, then popular ones, then new ones. All stand on the lists for
nobody in particular, which too few loans bring no title onto. For one borrower (`filling`) a few rows are
asked for; for all of them one after the other (`Filling`) everything is read in advance.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any

from classifier.models import Listing
from classifier.pipeline.config import Source
from classifier.pipeline.recommender.reranking import Pick
from classifier.pipeline.records import Int64
from classifier.selectors.listings import listed
from library.catalogue.models import Book
from library.db import KEYS_A_QUERY, batches

_NEWEST = 200
"""New titles and popular ones that a list is filled up from."""
_LISTS: tuple[tuple[str, Source], ...] = (
    (Listing.Kind.POPULAR, "popular"),
    (Listing.Kind.LATEST, "latest"),
)
"""Lists that others are filled up from, and what that is called."""


def filling(
    had: Iterable[int], *, category: int | None = None, language: str = "", available: bool = False
) -> Iterator[Pick]:
    """Yield titles for one borrower.

    Parameters
    ----------
    had : iterable of int
        Primary keys of the titles read or liked.
    category, language, available
        As `classifier.selectors.recommendations.advised_titles` takes them.
    """
    narrowed: dict[str, Any] = {"category": category, "language": language, "available": available}
    read = _categories_read(had)
    yield from _new_in(read, _listed(kind=Listing.Kind.LATEST, categories=list(read), **narrowed))
    yield from _for_all(**narrowed)


class Filling:
    """Yields titles for one borrower after the other: those that `filling` does.

    Parameters
    ----------
    pks : int array (n_books,)
        Primary keys of the titles, which are told by their places in it.
    """

    def __init__(self, pks: Int64) -> None:
        self._pks = pks
        self._place = {pk: place for place, pk in enumerate(pks.tolist())}
        self._category = dict(
            Book.objects.filter(category__isnull=False).values_list("pk", "category").iterator()
        )
        # By category, the newest first, each with where it stands among all.
        self._newest: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for rank, (title, category) in enumerate(_listed(kind=Listing.Kind.LATEST, most=None)):
            if title in self._place and category is not None:
                self._newest[category].append((rank, title))
        self._rest = [self._placed(pick) for pick in _for_all() if pick.title in self._place]

    def __call__(self, titles: Int64) -> Iterator[Pick]:
        """Yield titles for whoever read or liked some."""
        keys = self._pks[titles].tolist()
        read = Counter(self._category[pk] for pk in keys if pk in self._category)
        first = islice(merge(*(self._newest[category] for category in read)), _NEWEST)
        newest = ((title, self._category[title]) for _rank, title in first)
        yield from map(self._placed, _new_in(read, newest))
        yield from self._rest

    def _placed(self, pick: Pick) -> Pick:
        return replace(pick, title=self._place[pick.title])


def _new_in(read: Counter[int], newest: Iterable[tuple[int, int]]) -> Iterator[Pick]:
    """Yield new titles of the categories read, of the category most read first.

    Parameters
    ----------
    read : Counter of int
        How often by category.
    newest : iterable of (int, int)
        Title and category, the newest first.
    """
    for title, _category in sorted(newest, key=lambda row: (-read[row[1]], row[1])):
        yield Pick(title=title, score=0.0, sources=("new",))


def _for_all(**narrowed: Any) -> Iterator[Pick]:
    """Yield the titles that fill up everybody's list."""
    for kind, source in _LISTS:
        for title, _category in _listed(kind=kind, **narrowed):
            yield Pick(title=title, score=0.0, sources=(source,))


def _listed(
    *, kind: str, categories: Collection[int] | None = None, most: int | None = _NEWEST, **narrowed: Any
) -> Iterator[tuple[int, int]]:
    """Yield the titles of a list for nobody in particular, with their categories, the first in front.

    Parameters
    ----------
    kind : str
        One of `Listing.Kind`.
    categories : collection of int, optional
        Primary keys: only of these.
    most : int or None
    **narrowed
        As `classifier.selectors.listings.listed` takes it.
    """
    rows = listed(kind=kind, **narrowed)
    if categories is not None:
        rows = rows.filter(book__category__in=categories)
    yield from rows.values_list("book", "book__category")[:most].iterator()


def _categories_read(titles: Iterable[int]) -> Counter[int]:
    """Return how many of some titles are of which category, by primary key."""
    read: Counter[int] = Counter()
    for some in batches(titles, KEYS_A_QUERY):
        rows = Book.objects.filter(pk__in=some, category__isnull=False).order_by()
        read.update(rows.values_list("category", flat=True))
    return read
