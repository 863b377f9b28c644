"""Public lists of titles, counted from desk events without their borrowers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, Q
from scipy.special import gammaincinv

from classifier.models import ItemNeighbours, Listing
from classifier.pipeline.recommender.reranking import unpack_links
from classifier.selectors.recommendations import nearest_first
from classifier.services.runs.phases import COUNTING
from library.catalogue.models import Book, Copy
from library.circulation.models import ExcludedLoanCount, LoanEvent
from library.console import Progress, no_progress
from library.db import KEYS_PER_QUERY, batches

YEAR, MONTH = timedelta(days=365), timedelta(days=30)
FIRST_LOAD = timedelta(days=1)
"""Titles added within this time of the first one belong to the initial import."""
PRIOR = 5.0
"""Weight of "no change" in loans: if none were expected, five are needed for a trend."""
CREDIBILITY = 0.95
NEIGHBOURS = 10
"""Similar titles whose loans are the expectation for a hidden gem."""
_KIND = Listing.Kind
_COLUMNS = ("kind", "branch_id", "book_id", "score", "loans", "expected", "since")
Counts = tuple[int, int]
"""Loans in the last year, and those of them in the last month."""


class Entry(NamedTuple):
    """An unsaved listing without the control number, in the order of `_COLUMNS`."""

    kind: Listing.Kind
    branch: int | None
    book: int
    score: float
    loans: int | None = None
    expected: float | None = None
    since: datetime | None = None


@transaction.atomic
def refresh_listings(*, now: datetime, progress: Progress = no_progress) -> int:
    """Update the lists of popular, trending and new titles and of hidden gems; return the rows changed.

    They count checkouts of the last 365 and 30 days, without groups of fewer than ``POPULARITY_MIN`` loans
    (`publishable_counts`). The neighbours of titles must be up to date.
    """
    progress(COUNTING, 0, 3)
    changed = _write_changes([_KIND.POPULAR, _KIND.TRENDING], _popular_and_trending(now))
    progress(COUNTING, 1, 3)
    changed += _write_changes([_KIND.LATEST], _new_titles(now))
    progress(COUNTING, 2, 3)
    changed += _write_changes([_KIND.HIDDEN_GEM], _hidden_gems())
    progress(COUNTING, 3, 3)
    return changed


def publishable_counts(branches: dict[int | None, Counts], *, minimum: int) -> dict[int | None, Counts]:
    """Return the publishable loans of a title in the year and the month, by branch, and under None for all.

    A branch with fewer than `minimum` loans in the year is suppressed. It is also missing from the sum for
    all branches, unless the suppressed branches together reach the minimum: else the difference between the
    sum and the published branches would reveal it. The same holds for the month (0 if suppressed), among the
    branches that count for the year.

    Parameters
    ----------
    branches
        None is an unknown branch.
    """
    shown: dict[int | None, Counts] = {
        branch: n for branch, n in branches.items() if branch is not None and n[0] >= minimum
    }
    hidden = [n for branch, n in branches.items() if branch not in shown]
    rest = sum(year for year, _ in hidden)
    counted = [*shown.values(), *(hidden if rest >= minimum else [])]
    if not counted:
        return {}
    months = [month for _, month in counted]
    few = sum(month for month in months if month < minimum)
    in_month = sum(month for month in months if month >= minimum) + (few if few >= minimum else 0)
    by_branch = {branch: (year, month if month >= minimum else 0) for branch, (year, month) in shown.items()}
    return {None: (sum(year for year, _ in counted), in_month), **by_branch}


def trend(*, loans: int, expected: float) -> float:
    """Return the ratio of loans to expected loans that a title exceeds with high probability.

    This is the lower bound (5 % quantile) of the ratio's credible interval. Loans are Poisson distributed,
    and the ratio has a gamma prior around 1 worth `PRIOR` loans: few loans stay near 1, whatever their ratio.

    References
    ----------
    DuMouchel, W. (1999). Bayesian data mining in large frequency tables, with an application to the FDA
    spontaneous reporting system. The American Statistician 53(3), 177-190 (the bound EB05; here the prior is
    fixed instead of fitted, so that a title's trend does not depend on all others').
    """
    return float(gammaincinv(PRIOR + loans, 1 - CREDIBILITY)) / (PRIOR + expected)


def _popular_and_trending(now: datetime) -> Iterator[tuple[int, list[Entry]]]:
    """Yield the entries of each book on the popular and trending lists, by primary key.

    The expectation for the month is the title's earlier loans times the branch's loans in the month per
    earlier loan: so the start of a term does not make every title a trend.
    """
    checkouts = LoanEvent.objects.filter(
        kind=LoanEvent.Kind.CHECKOUT, occurred_at__gt=now - YEAR, occurred_at__lte=now
    )
    events = checkouts.exclude(borrower__excluded_from_statistics=True).order_by()
    # Anonymised events of excluded borrowers: their branch and day are not stored.
    excluded = dict(ExcludedLoanCount.objects.values_list("book", "count").iterator())
    counts = {"year": Count("pk"), "month": Count("pk", filter=Q(occurred_at__gt=now - MONTH))}
    growth = _monthly_growth(events.values_list("branch").annotate(**counts))
    rows = events.values_list("book", "branch").annotate(**counts).order_by("book").iterator()
    for book, of_book in groupby(rows, key=lambda row: row[0]):
        less = excluded.get(book, 0)
        branches = {
            branch: (year - less, max(0, month - less)) for _, branch, year, month in of_book if year > less
        }
        entries: list[Entry] = []
        counts_by_branch = publishable_counts(branches, minimum=settings.POPULARITY_MIN)
        for branch, (year, month) in counts_by_branch.items():
            entries.append(Entry(_KIND.POPULAR, branch, book, year, loans=year))
            if month and branch in growth:
                expected = (year - month) * growth[branch]
                ratio = trend(loans=month, expected=expected)
                if ratio > 1:
                    entry = Entry(_KIND.TRENDING, branch, book, ratio, loans=month, expected=expected)
                    entries.append(entry)
        if entries:
            yield book, entries


def _monthly_growth(rows: Iterable[tuple[int | None, int, int]]) -> dict[int | None, float]:
    """Return loans in the month per earlier loan, by branch and under None for all, without new branches."""
    years: dict[int | None, int] = defaultdict(int)
    months: dict[int | None, int] = defaultdict(int)
    for branch, year, month in rows:
        for key in {branch, None}:
            years[key] += year
            months[key] += month
    return {key: months[key] / (year - months[key]) for key, year in years.items() if year > months[key]}


def _new_titles(now: datetime) -> Iterator[tuple[int, list[Entry]]]:
    """Yield the entry of each title of the year, without the initial import and titles borrowed before."""
    began = Book.objects.aggregate(at=Min("created_at"))["at"]
    if began is None:
        return
    borrowed_before = LoanEvent.objects.filter(
        kind=LoanEvent.Kind.CHECKOUT, book=OuterRef("pk"), occurred_at__lt=OuterRef("created_at")
    )
    books = Book.objects.filter(
        ~Exists(borrowed_before), created_at__gt=max(began + FIRST_LOAD, now - YEAR), created_at__lte=now
    )
    for book, since in books.order_by("pk").values_list("pk", "created_at").iterator():
        yield book, [Entry(_KIND.LATEST, None, book, since.timestamp(), since=since)]


def _hidden_gems() -> Iterator[tuple[int, list[Entry]]]:
    """Yield the entry of each hidden gem: not popular or new, although similar titles are popular.

    Its own loans are suppressed, so its score is the mean of the similar titles' published loans.
    """
    lists = Listing.objects.filter(branch=None)
    popular = dict(lists.filter(kind=_KIND.POPULAR).values_list("book", "loans").iterator())
    new = set(lists.filter(kind=_KIND.LATEST).values_list("book", flat=True).iterator())
    on_shelf = Copy.objects.filter(book=OuterRef("book"), status=Copy.Status.AVAILABLE)
    rows = ItemNeighbours.objects.filter(Exists(on_shelf)).order_by("book").values_list("book", "similar")
    for book, content in rows.iterator():
        if book in popular or book in new:
            continue
        other, parts = unpack_links(bytes(content))
        loans = [
            popular.get(title) or 0 for title in other[nearest_first(other, parts)[:NEIGHBOURS]].tolist()
        ]
        if loans and sum(loans) >= settings.POPULARITY_MIN * len(loans):
            score = sum(loans) / len(loans)
            yield book, [Entry(_KIND.HIDDEN_GEM, None, book, score, loans=int(score))]


def _write_changes(kinds: list[Listing.Kind], books: Iterator[tuple[int, list[Entry]]]) -> int:
    changed, after = 0, 0
    rows = Listing.objects.filter(kind__in=kinds)
    for batch in batches(books, KEYS_PER_QUERY):
        last = batch[-1][0]
        entries = [entry for _, of_book in batch for entry in of_book]
        changed += _replace(rows.filter(book__gt=after, book__lte=last), entries)
        after = last
    return changed + rows.filter(book__gt=after).delete()[0]


def _replace(rows: Iterable[Listing], entries: list[Entry]) -> int:
    numbers = dict(
        Book.objects.filter(pk__in={entry.book for entry in entries}).values_list("pk", "control_number")
    )
    # A book may be deleted during the count.
    wanted = {(*entry, numbers[entry.book]) for entry in entries if entry.book in numbers}
    gone = []
    for row in rows:
        key = Listing.Kind(row.kind), row.branch_id, row.book_id
        stored = (*Entry(*key, row.score, row.loans, row.expected, row.since), row.control_number)
        if stored in wanted:
            wanted.remove(stored)
        else:
            gone.append(row.pk)
    for keys in batches(gone, KEYS_PER_QUERY):
        Listing.objects.filter(pk__in=keys).delete()
    new = (
        Listing(**dict(zip((*_COLUMNS, "control_number"), row, strict=True)))
        for row in sorted(wanted, key=lambda row: row[2])
    )
    Listing.objects.bulk_create(new, batch_size=KEYS_PER_QUERY)
    return len(gone) + len(wanted)
