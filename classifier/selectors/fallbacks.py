"""Fallback recommendations for borrowers whose titles lead to too few others: new and popular titles.

New titles of the categories read come first, then popular titles, then new ones. All are on the public lists,
which suppress titles with too few loans. For one borrower (`fallback_titles`) a few rows are read; for all
borrowers one after the other (`FallbackProvider`) everything is read in advance.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any

from classifier.models import Listing
from classifier.pipeline.config import Source
from classifier.pipeline.recommender.reranking import Candidate
from classifier.pipeline.records import Int64
from classifier.selectors.listings import listed_titles
from library.catalogue.models import Book
from library.db import KEYS_PER_QUERY, batches

_LIMIT = 200
"""Titles read of each list."""
_LISTS: tuple[tuple[str, Source], ...] = (
    (Listing.Kind.POPULAR, "popular"),
    (Listing.Kind.LATEST, "latest"),
)
"""Lists in order, with the source that recommendations name."""


def fallback_titles(
    read: Iterable[int], *, category: int | None = None, language: str = "", available: bool = False
) -> Iterator[Candidate]:
    """Yield titles for one borrower.

    Parameters
    ----------
    read
        Primary keys of the titles borrowed or liked.
    category, language, available
        As `classifier.selectors.recommendations.recommended_titles` takes them.
    """
    filters: dict[str, Any] = {"category": category, "language": language, "available": available}
    counts = _category_counts(read)
    newest = _listed(kind=Listing.Kind.LATEST, categories=list(counts), **filters)
    yield from _new_in_categories(counts, newest)
    yield from _for_everyone(**filters)


class FallbackProvider:
    """Source of the `fallback_titles` of one borrower after the other.

    Parameters
    ----------
    pks : (n_books,)
        Primary keys of the titles; titles are identified by their positions in it.
    """

    def __init__(self, pks: Int64) -> None:
        self._pks = pks
        self._position = {pk: position for position, pk in enumerate(pks.tolist())}
        self._category = dict(
            Book.objects.filter(category__isnull=False).values_list("pk", "category").iterator()
        )
        # By category, the newest first, each with its rank among all.
        self._newest: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for rank, (title, category) in enumerate(_listed(kind=Listing.Kind.LATEST, limit=None)):
            if title in self._position and category is not None:
                self._newest[category].append((rank, title))
        self._rest = [
            self._with_position(candidate)
            for candidate in _for_everyone()
            if candidate.title in self._position
        ]

    def __call__(self, titles: Int64) -> Iterator[Candidate]:
        """Yield titles for a borrower of these titles (positions)."""
        keys = self._pks[titles].tolist()
        counts = Counter(self._category[pk] for pk in keys if pk in self._category)
        first = islice(merge(*(self._newest[category] for category in counts)), _LIMIT)
        newest = ((title, self._category[title]) for _rank, title in first)
        yield from map(self._with_position, _new_in_categories(counts, newest))
        yield from self._rest

    def _with_position(self, candidate: Candidate) -> Candidate:
        return replace(candidate, title=self._position[candidate.title])


def _new_in_categories(counts: Counter[int], newest: Iterable[tuple[int, int]]) -> Iterator[Candidate]:
    """Yield new titles of the categories read, the most read category first.

    `counts`: titles read by category. `newest`: title and category, the newest first.
    """
    for title, _category in sorted(newest, key=lambda row: (-counts[row[1]], row[1])):
        yield Candidate(title=title, score=0.0, sources=("new",))


def _for_everyone(**filters: Any) -> Iterator[Candidate]:
    """Yield the titles that are the same for every borrower."""
    for kind, source in _LISTS:
        for title, _category in _listed(kind=kind, **filters):
            yield Candidate(title=title, score=0.0, sources=(source,))


def _listed(
    *, kind: str, categories: Collection[int] | None = None, limit: int | None = _LIMIT, **filters: Any
) -> Iterator[tuple[int, int]]:
    """Yield the titles of a public list with their categories, in order.

    `kind`: one of `Listing.Kind`. `categories`: primary keys; None for all.
    `**filters`: see `classifier.selectors.listings.listed_titles`.
    """
    rows = listed_titles(kind=kind, **filters)
    if categories is not None:
        rows = rows.filter(book__category__in=categories)
    yield from rows.values_list("book", "book__category")[:limit].iterator()


def _category_counts(titles: Iterable[int]) -> Counter[int]:
    """Return the number of titles by primary key of the category."""
    counts: Counter[int] = Counter()
    for keys in batches(titles, KEYS_PER_QUERY):
        rows = Book.objects.filter(pk__in=keys, category__isnull=False).order_by()
        counts.update(rows.values_list("category", flat=True))
    return counts
