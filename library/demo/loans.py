"""Generate eighteen months of loans of a library with one copy of each title."""

import bisect
import itertools
import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from library.demo.books import DemoBook
from library.demo.categories import LEAVES
from library.errors import LibraryError

DAYS = 548  # eighteen months
NEVER_BORROWED = 0.1
MAX_LOANS_PER_TITLE = 60
LOAN_DAYS = 28
NEVER_RETURNED = 0.02  # fraction of the last loans of titles: lost copies

# Tuned so that loans alone, like covers alone, classify about three books in five correctly.
NOISE = 0.55  # fraction of loans that do not depend on the borrower's interests
INTERESTS = {1: 0.35, 2: 0.40, 3: 0.25}
INTEREST_WEIGHTS = (1.0, 0.6, 0.4)
FOLLOWS_COMPANION = 0.4  # probability that the next interest is the companion of the first
OTHER_LANGUAGE = 0.15  # relative weight of the other language for a borrower who reads one

MONTHS = (1.2, 1.0, 1.0, 0.95, 0.85, 0.8, 1.25, 1.2, 0.95, 1.1, 1.2, 0.9)
WEEKDAYS = (0.9, 0.9, 1.0, 0.9, 1.1, 1.6, 0.6)
GAP = 4.0  # between two loans of a title, in average days of borrowing; at least two days in high season


class DemoSizeError(LibraryError):
    """The requested numbers are inconsistent."""


class DemoLoan(NamedTuple):
    """A row of ``loans.csv``; `returned_at` is None while the book is out."""

    borrower: str
    book: str
    borrowed_at: datetime
    returned_at: datetime | None
    due_at: datetime
    renewals: int


class _Borrower(NamedTuple):
    card: str
    tastes: dict[tuple[str, str], float]  # weight by category and language, multiplied by the activity


def generate_loans(
    *,
    rng: random.Random,
    books: list[DemoBook],
    borrowers: int,
    loans: int,
    now: datetime,
    progress: Callable[[str, int, int], None],
) -> list[DemoLoan]:
    """Generate the loans of the eighteen months before `now`, in order of checkout.

    Two loans of a title never overlap.

    Parameters
    ----------
    books
        A random tenth of them is never borrowed.
    borrowers, loans
        Exact numbers; each borrower has at least one loan.
    now
        Aware; the latest checkout and return.
    progress
        ``progress(phase, done, total)``.

    Raises
    ------
    DemoSizeError
        If there are fewer loans than borrowers, or too many for the titles.
    """
    borrowed = rng.sample(books, len(books) - round(NEVER_BORROWED * len(books)))
    if loans < borrowers or (loans and not borrowers):
        raise DemoSizeError(
            f"{loans} loans cannot be spread over {borrowers} borrowers so that each has one: "
            "request more loans or fewer borrowers (at least one).",
            loans=loans,
            borrowers=borrowers,
        )
    if loans > MAX_LOANS_PER_TITLE * len(borrowed):
        raise DemoSizeError(
            f"{len(books)} titles allow at most {MAX_LOANS_PER_TITLE * len(borrowed)} loans in eighteen "
            f"months: request fewer than {loans} loans or more titles.",
            loans=loans,
            titles=len(books),
        )
    now = now.astimezone(UTC)
    calendar = _calendar(first=now.date() - timedelta(days=DAYS))
    people = [_borrower(rng=rng, number=number) for number in range(1, borrowers + 1)]
    stays: list[tuple[DemoBook, date, int]] = []
    for book, count in zip(borrowed, _demand(rng=rng, titles=len(borrowed), loans=loans), strict=True):
        stays += [(book, day, stay) for day, stay in _stays(rng=rng, calendar=calendar, count=count)]
        progress("lending books", len(stays), loans)
    stays.sort(key=lambda loan: (loan[1], loan[0].id))
    assigned = _assign_borrowers(
        rng=rng, borrowers=people, kinds=[(book.category, book.language) for book, _, _ in stays]
    )
    return sorted(
        (
            _loan(rng=rng, borrower=people[person].card, book=book.id, day=day, stay=stay, now=now)
            for person, (book, day, stay) in zip(assigned, stays, strict=True)
        ),
        key=lambda loan: (loan.borrowed_at, loan.book),
    )


def _borrower(*, rng: random.Random, number: int) -> _Borrower:
    leaves = list(LEAVES)
    count = rng.choices(tuple(INTERESTS), weights=tuple(INTERESTS.values()))[0]
    interests = rng.choices(leaves, weights=[leaf.share for leaf in LEAVES.values()])
    while len(interests) < count:
        companion = LEAVES[interests[0]].companion
        interest = companion if rng.random() < FOLLOWS_COMPANION else rng.choice(leaves)
        interests += [interest] if interest not in interests else []
    scale = sum(INTEREST_WEIGHTS[:count])
    weights = dict.fromkeys(leaves, NOISE / len(leaves))
    for interest, weight in zip(interests, INTEREST_WEIGHTS, strict=False):
        weights[interest] += (1 - NOISE) * weight / scale
    languages = rng.choices(({"zh"}, {"en"}, {"zh", "en"}), weights=(0.4, 0.35, 0.25))[0]
    activity = rng.lognormvariate(0, 0.7)
    tastes = {
        (category, language): activity * weight * (1 if language in languages else OTHER_LANGUAGE)
        for category, weight in weights.items()
        for language in ("zh", "en")
    }
    return _Borrower(f"reader-{number:04d}", tastes)


def _assign_borrowers(
    *, rng: random.Random, borrowers: list[_Borrower], kinds: list[tuple[str, str]]
) -> list[int]:
    """Return the index of the borrower of each loan, by taste.

    A borrower without loans takes one over from a borrower with several.
    """
    weights = {
        kind: list(itertools.accumulate(borrower.tastes[kind] for borrower in borrowers))
        for kind in set(kinds)
    }
    assigned = [rng.choices(range(len(borrowers)), cum_weights=weights[kind])[0] for kind in kinds]
    counts = [0] * len(borrowers)
    for borrower in assigned:
        counts[borrower] += 1
    for idle in (number for number, count in enumerate(counts) if not count):
        spare = [loan for loan, borrower in enumerate(assigned) if counts[borrower] > 1]
        loan = max(spare, key=lambda loan: borrowers[idle].tastes[kinds[loan]])
        counts[assigned[loan]] -= 1
        counts[idle] += 1
        assigned[loan] = idle
    return assigned


def _demand(*, rng: random.Random, titles: int, loans: int) -> list[int]:
    """Return the loans per title: at least one if possible, the rest by popularity, up to the limit."""
    counts = [1 if loans >= titles else 0] * titles
    popularity = [rng.lognormvariate(0, 0.8) for _ in range(titles)]
    while missing := loans - sum(counts):
        free = [title for title in range(titles) if counts[title] < MAX_LOANS_PER_TITLE]
        for title in rng.choices(free, weights=[popularity[title] for title in free], k=missing):
            counts[title] = min(counts[title] + 1, MAX_LOANS_PER_TITLE)
    return counts


def _calendar(*, first: date) -> list[tuple[float, date]]:
    """Return the days, each with the cumulative borrowing at its end, in units of an average day."""
    days = [first + timedelta(days=number) for number in range(DAYS)]
    weights = [MONTHS[day.month - 1] * WEEKDAYS[day.weekday()] for day in days]
    scale = DAYS / sum(weights)
    return list(zip(itertools.accumulate(weight * scale for weight in weights), days, strict=True))


def _stays(*, rng: random.Random, calendar: list[tuple[float, date]], count: int) -> list[tuple[date, int]]:
    """Return first day and length of each loan of a title; it ends the day before the next loan."""
    ends = [end for end, _ in calendar]
    points = sorted(rng.uniform(0, ends[-1] - GAP * count) for _ in range(count))
    starts = [
        calendar[bisect.bisect_left(ends, point + GAP * number)][1] for number, point in enumerate(points)
    ]
    stays = [_length(rng) for _ in starts]
    if stays and rng.random() < NEVER_RETURNED:
        stays[-1] = 2 * DAYS
    return [
        (start, min(stay, (following - start).days - 1) if following else stay)
        for start, following, stay in itertools.zip_longest(starts, starts[1:], stays)
    ]


def _length(rng: random.Random) -> int:
    if rng.random() < 0.85:
        return round(rng.triangular(2, LOAN_DAYS, 16))
    return round(rng.triangular(LOAN_DAYS + 1, 3 * LOAN_DAYS, LOAN_DAYS + 10))


def _loan(*, rng: random.Random, borrower: str, book: str, day: date, stay: int, now: datetime) -> DemoLoan:
    borrowed_at = _opening_hour(rng=rng, day=day)
    returned_at = _opening_hour(rng=rng, day=day + timedelta(days=stay))
    days_out = (min(returned_at, now) - borrowed_at).days
    # Two thirds of those who keep a book longer renew it, at most twice; the others return it late.
    renewals = (
        min(math.ceil(days_out / LOAN_DAYS) - 1, 2) if days_out > LOAN_DAYS and rng.random() < 2 / 3 else 0
    )
    return DemoLoan(
        borrower=borrower,
        book=book,
        borrowed_at=borrowed_at,
        returned_at=returned_at if returned_at <= now else None,
        due_at=borrowed_at + timedelta(days=LOAN_DAYS * (1 + renewals)),
        renewals=renewals,
    )


def _opening_hour(*, rng: random.Random, day: date) -> datetime:
    return datetime.combine(day, time(10), tzinfo=UTC) + timedelta(seconds=rng.randrange(10 * 3600))
