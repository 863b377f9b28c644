"""The lists for nobody in particular, counted from what happened at the desk: never from who it was."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, Q
from scipy.special import gammaincinv

from classifier.models import Listing, TitleLinks
from classifier.pipeline.recommender.reranking import unpacked
from classifier.selectors.recommendations import nearest_first
from classifier.services.runs.pace import COUNTING
from library.catalogue.models import Book, Copy
from library.circulation.models import LeftOutLoans, LoanEvent
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, batches

YEAR, MONTH = timedelta(days=365), timedelta(days=30)
FIRST_LOAD = timedelta(days=1)
"""Titles that come within it of the very first one were there before the catalogue was."""
PRIOR = 5.0
"""Loans that speak for "as ever" before any is counted: after none, it takes five to be surely more."""
SURE = 0.95
NEAR = 10
"""Titles like one that say how often it could be borrowed."""
_KIND = Listing.Kind
_COLUMNS = ("kind", "branch_id", "book_id", "score", "times", "expected", "since")
Counts = tuple[int, int]
"""Loans in the year, and those of them in the month."""


class Entry(NamedTuple):
    """A listing to be, but for the book's control number; its values in the order of `_COLUMNS`."""

    kind: Listing.Kind
    branch: int | None
    book: int
    score: float
    times: int | None = None
    expected: float | None = None
    since: datetime | None = None


@transaction.atomic
def refresh_listings(*, now: datetime, progress: Progress = no_progress) -> int:
    """Bring the lists of popular, trending and new titles and of hidden treasures up to date.

    Counted are checkouts of the last 365 and 30 days. Groups of less than ``POPULARITY_MIN`` loans are not
    told of, see `told`. Similar titles must have been refreshed before.

    Parameters
    ----------
    now : datetime
    progress : callable

    Returns
    -------
    int
        How many rows were deleted and written; what has not changed is left alone.
    """
    progress(COUNTING, 0, 3)
    changed = _write_changes([_KIND.POPULAR, _KIND.TRENDING], _lent(now))
    progress(COUNTING, 1, 3)
    changed += _write_changes([_KIND.LATEST], _new(now))
    progress(COUNTING, 2, 3)
    changed += _write_changes([_KIND.TREASURE], _treasures())
    progress(COUNTING, 3, 3)
    return changed


def told(branches: dict[int | None, Counts], *, least: int) -> dict[int | None, Counts]:
    """Return by branch what may be told of a title's loans; under None, of all branches together.

    A branch with fewer loans in the year than `least` is not told of; nor is it part of the sum for all
    branches, unless what is left over of all such branches is a group by itself: else the sum less the
    branches told of would tell it. The same goes for the month, among the branches that count for the year.

    Parameters
    ----------
    branches : dict
        By branch, None where nobody knows which, the loans in the year and in the month.
    least : int

    Returns
    -------
    dict
        The loans in the year, `least` at least; those in the month, 0 if they are not told. Empty if
        nothing may be told.
    """
    shown: dict[int | None, Counts] = {
        branch: n for branch, n in branches.items() if branch is not None and n[0] >= least
    }
    hidden = [n for branch, n in branches.items() if branch not in shown]
    rest = sum(year for year, _ in hidden)
    counted = [*shown.values(), *(hidden if rest >= least else [])]
    if not counted:
        return {}
    months = [month for _, month in counted]
    few = sum(month for month in months if month < least)
    in_month = sum(month for month in months if month >= least) + (few if few >= least else 0)
    found = {branch: (year, month if month >= least else 0) for branch, (year, month) in shown.items()}
    return {None: (sum(year for year, _ in counted), in_month), **found}


def trend(*, times: int, expected: float) -> float:
    """Return how many times as often as expected a title was surely lent.

    The lower bound of the ratio's credible interval (the 5 % quantile), where loans are Poisson distributed
    and the ratio has a gamma prior round 1 worth `PRIOR` loans: few loans stay near 1, whatever their ratio.

    Parameters
    ----------
    times : int
    expected : float

    Returns
    -------
    float

    References
    ----------
    DuMouchel, W. (1999). Bayesian data mining in large frequency tables, with an application to the FDA
    spontaneous reporting system. The American Statistician 53(3), 177-190 (the bound EB05; here the prior is
    given instead of fitted, so that a title's trend does not hang on all others').
    """
    return float(gammaincinv(PRIOR + times, 1 - SURE)) / (PRIOR + expected)


def _lent(now: datetime) -> Iterator[tuple[int, list[Entry]]]:
    """Yield by book, in order, its places among the popular and the trending titles.

    Expected of a month is what the title had in the months before, times what its branch lent this month
    for each loan then: the start of a term makes no trend of everything.
    """
    checkouts = LoanEvent.objects.filter(kind=LoanEvent.Kind.CHECKOUT, at__gt=now - YEAR, at__lte=now)
    events = checkouts.exclude(borrower__left_out=True).order_by()
    # Forgotten, they are events of nobody; of which branch and day they were, nobody knows any more.
    left_out = dict(LeftOutLoans.objects.values_list("book", "count").iterator())
    counts = {"year": Count("pk"), "month": Count("pk", filter=Q(at__gt=now - MONTH))}
    paces = _paces(events.values_list("branch").annotate(**counts))
    rows = events.values_list("book", "branch").annotate(**counts).order_by("book").iterator()
    for book, of_book in groupby(rows, key=lambda row: row[0]):
        less = left_out.get(book, 0)
        branches = {
            branch: (year - less, max(0, month - less)) for _, branch, year, month in of_book if year > less
        }
        found: list[Entry] = []
        for branch, (year, month) in told(branches, least=settings.POPULARITY_MIN).items():
            found.append(Entry(_KIND.POPULAR, branch, book, year, times=year))
            if month and branch in paces:
                expected = (year - month) * paces[branch]
                sure = trend(times=month, expected=expected)
                if sure > 1:
                    found.append(Entry(_KIND.TRENDING, branch, book, sure, times=month, expected=expected))
        if found:
            yield book, found


def _paces(rows: Iterable[tuple[int | None, int, int]]) -> dict[int | None, float]:
    """Return by branch its loans in the month for each in the months before, under None those of all.

    Where there were none before, nothing can be expected, and the branch is left out.
    """
    years: dict[int | None, int] = defaultdict(int)
    months: dict[int | None, int] = defaultdict(int)
    for branch, year, month in rows:
        for place in {branch, None}:
            years[place] += year
            months[place] += month
    return {
        place: months[place] / (year - months[place]) for place, year in years.items() if year > months[place]
    }


def _new(now: datetime) -> Iterator[tuple[int, list[Entry]]]:
    """Yield by book, in order, its place among the titles that came within the year.

    Only of what the catalogue knows to be new: neither what it began with, nor what was lent before it was
    entered.
    """
    began = Book.objects.aggregate(at=Min("created_at"))["at"]
    if began is None:
        return
    lent_before = LoanEvent.objects.filter(
        kind=LoanEvent.Kind.CHECKOUT, book=OuterRef("pk"), at__lt=OuterRef("created_at")
    )
    books = Book.objects.filter(
        ~Exists(lent_before), created_at__gt=max(began + FIRST_LOAD, now - YEAR), created_at__lte=now
    )
    for book, since in books.order_by("pk").values_list("pk", "created_at").iterator():
        yield book, [Entry(_KIND.LATEST, None, book, since.timestamp(), since=since)]


def _treasures() -> Iterator[tuple[int, list[Entry]]]:
    """Yield by book, in order, its place among the treasures: not popular, though titles like it are.

    Its own loans are too few to be told, so its score is what the titles like it have on average, which is
    what was to be expected of it; a title that is new has had no time yet. Only loans that are told count.
    """
    lists = Listing.objects.filter(branch=None)
    popular = dict(lists.filter(kind=_KIND.POPULAR).values_list("book", "times").iterator())
    new = set(lists.filter(kind=_KIND.LATEST).values_list("book", flat=True).iterator())
    on_shelf = Copy.objects.filter(book=OuterRef("book"), status=Copy.Status.AVAILABLE)
    rows = TitleLinks.objects.filter(Exists(on_shelf)).order_by("book").values_list("book", "alike")
    for book, content in rows.iterator():
        if book in popular or book in new:
            continue
        other, parts = unpacked(bytes(content))
        lent = [popular.get(title) or 0 for title in other[nearest_first(other, parts)[:NEAR]].tolist()]
        if lent and sum(lent) >= settings.POPULARITY_MIN * len(lent):
            score = sum(lent) / len(lent)
            yield book, [Entry(_KIND.TREASURE, None, book, score, times=int(score))]


def _write_changes(kinds: list[Listing.Kind], books: Iterator[tuple[int, list[Entry]]]) -> int:
    """Make the rows of some lists those given, in the order of books; return how many were not so before."""
    changed, after = 0, 0
    rows = Listing.objects.filter(kind__in=kinds)
    for some in batches(books, KEYS_A_QUERY):
        up_to = some[-1][0]
        entries = [entry for _, of_book in some for entry in of_book]
        changed += _replace(rows.filter(book__gt=after, book__lte=up_to), entries)
        after = up_to
    return changed + rows.filter(book__gt=after).delete()[0]


def _replace(rows: Iterable[Listing], entries: list[Entry]) -> int:
    numbers = dict(
        Book.objects.filter(pk__in={entry.book for entry in entries}).values_list("pk", "control_number")
    )
    # A book may go while we count.
    wanted = {(*entry, numbers[entry.book]) for entry in entries if entry.book in numbers}
    gone = []
    for row in rows:
        about = Listing.Kind(row.kind), row.branch_id, row.book_id
        there = (*Entry(*about, row.score, row.times, row.expected, row.since), row.control_number)
        if there in wanted:
            wanted.remove(there)
        else:
            gone.append(row.pk)
    for keys in batches(gone, KEYS_A_QUERY):
        Listing.objects.filter(pk__in=keys).delete()
    new = (
        Listing(**dict(zip((*_COLUMNS, "control_number"), row, strict=True)))
        for row in sorted(wanted, key=lambda row: row[2])
    )
    Listing.objects.bulk_create(new, batch_size=KEYS_A_QUERY)
    return len(gone) + len(wanted)
