"""Who borrowed what, and when: eighteen months of a library with one copy of each title."""

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
NEVER_RETURNED = 0.02  # of the last loans of titles: what a library calls lost

# Chosen so that loans alone file about three books in five rightly, like the covers.
NOISE = 0.55  # part of the loans that has nothing to do with what someone likes
INTERESTS = {1: 0.35, 2: 0.40, 3: 0.25}
INTEREST_WEIGHTS = (1.0, 0.6, 0.4)
FOLLOWS_COMPANION = 0.4  # chance that the next interest is the usual one beside the first
OTHER_LANGUAGE = 0.15  # how much a reader of one language borrows in the other

MONTHS = (1.2, 1.0, 1.0, 0.95, 0.85, 0.8, 1.25, 1.2, 0.95, 1.1, 1.2, 0.9)
WEEKDAYS = (0.9, 0.9, 1.0, 0.9, 1.1, 1.6, 0.6)
GAP = 4.0  # average days' worth of borrowing between two loans of a title; in high season two days at least


class DemoSizeError(LibraryError):
    """The numbers asked for do not fit together."""


class DemoLoan(NamedTuple):
    """A row of ``loans.csv``; `returned_at` is None while the book is out."""

    borrower: str
    book: str
    borrowed_at: datetime
    returned_at: datetime | None
    due_at: datetime
    renewals: int


class _Reader(NamedTuple):
    card: str
    tastes: dict[tuple[str, str], float]  # by category and language, the activity included


def lend(
    *,
    rng: random.Random,
    books: list[DemoBook],
    borrowers: int,
    loans: int,
    now: datetime,
    progress: Callable[[str, int, int], None],
) -> list[DemoLoan]:
    """Make up the loans of the eighteen months before `now`.

    Parameters
    ----------
    rng : random.Random
        Where chance comes from.
    books : list of DemoBook
        A tenth of them, drawn by lot, is never borrowed.
    borrowers, loans : int
        How many; each borrower has one loan at least.
    now : datetime
        Aware; no loan is made or returned after it.
    progress : callable
        ``progress(phase, done, total)``.

    Returns
    -------
    list of DemoLoan
        In the order they were made. Two loans of a title never overlap.

    Raises
    ------
    DemoSizeError
        If there are fewer loans than borrowers, or more than the titles can bear.
    """
    lent = rng.sample(books, len(books) - round(NEVER_BORROWED * len(books)))
    if loans < borrowers or (loans and not borrowers):
        raise DemoSizeError(
            f"{loans} loans cannot be spread over {borrowers} borrowers so that each has one: "
            "ask for more loans or fewer borrowers (one at least).",
            loans=loans,
            borrowers=borrowers,
        )
    if loans > MAX_LOANS_PER_TITLE * len(lent):
        raise DemoSizeError(
            f"{len(books)} titles bear at most {MAX_LOANS_PER_TITLE * len(lent)} loans in eighteen months: "
            f"ask for fewer than {loans} loans or for more titles.",
            loans=loans,
            titles=len(books),
        )
    now = now.astimezone(UTC)
    calendar = _calendar(first=now.date() - timedelta(days=DAYS))
    readers = [_reader(rng=rng, number=number) for number in range(1, borrowers + 1)]
    made: list[tuple[DemoBook, date, int]] = []
    for book, count in zip(lent, _demand(rng=rng, titles=len(lent), loans=loans), strict=True):
        made += [(book, day, stay) for day, stay in _stays(rng=rng, calendar=calendar, count=count)]
        progress("lending books", len(made), loans)
    made.sort(key=lambda loan: (loan[1], loan[0].id))
    chosen = _choose_readers(
        rng=rng, readers=readers, kinds=[(book.category, book.language) for book, _, _ in made]
    )
    return sorted(
        (
            _loan(rng=rng, borrower=readers[reader].card, book=book.id, day=day, stay=stay, now=now)
            for reader, (book, day, stay) in zip(chosen, made, strict=True)
        ),
        key=lambda loan: (loan.borrowed_at, loan.book),
    )


def _reader(*, rng: random.Random, number: int) -> _Reader:
    """A reader with one to three interests, one language or two, and more or less zeal."""
    leaves = list(LEAVES)
    count = rng.choices(tuple(INTERESTS), weights=tuple(INTERESTS.values()))[0]
    interests = rng.choices(leaves, weights=[leaf.share for leaf in LEAVES.values()])
    while len(interests) < count:
        companion = LEAVES[interests[0]].companion
        following = companion if rng.random() < FOLLOWS_COMPANION else rng.choice(leaves)
        interests += [following] if following not in interests else []
    scale = sum(INTEREST_WEIGHTS[:count])
    liking = dict.fromkeys(leaves, NOISE / len(leaves))
    for interest, weight in zip(interests, INTEREST_WEIGHTS, strict=False):
        liking[interest] += (1 - NOISE) * weight / scale
    reads = rng.choices(({"zh"}, {"en"}, {"zh", "en"}), weights=(0.4, 0.35, 0.25))[0]
    activity = rng.lognormvariate(0, 0.7)
    tastes = {
        (category, language): activity * weight * (1 if language in reads else OTHER_LANGUAGE)
        for category, weight in liking.items()
        for language in ("zh", "en")
    }
    return _Reader(f"reader-{number:04d}", tastes)


def _choose_readers(*, rng: random.Random, readers: list[_Reader], kinds: list[tuple[str, str]]) -> list[int]:
    """Index of the reader of each loan, by taste; whoever is left out takes one from those with several."""
    weights = {
        kind: list(itertools.accumulate(reader.tastes[kind] for reader in readers)) for kind in set(kinds)
    }
    chosen = [rng.choices(range(len(readers)), cum_weights=weights[kind])[0] for kind in kinds]
    held = [0] * len(readers)
    for reader in chosen:
        held[reader] += 1
    for idle in (number for number, count in enumerate(held) if not count):
        spare = [loan for loan, reader in enumerate(chosen) if held[reader] > 1]
        loan = max(spare, key=lambda loan: readers[idle].tastes[kinds[loan]])
        held[chosen[loan]] -= 1
        held[idle] += 1
        chosen[loan] = idle
    return chosen


def _demand(*, rng: random.Random, titles: int, loans: int) -> list[int]:
    """Loans of each title: one at least where there are enough, the rest by popularity, up to the limit."""
    counts = [1 if loans >= titles else 0] * titles
    popularity = [rng.lognormvariate(0, 0.8) for _ in range(titles)]
    while missing := loans - sum(counts):
        free = [title for title in range(titles) if counts[title] < MAX_LOANS_PER_TITLE]
        for title in rng.choices(free, weights=[popularity[title] for title in free], k=missing):
            counts[title] = min(counts[title] + 1, MAX_LOANS_PER_TITLE)
    return counts


def _calendar(*, first: date) -> list[tuple[float, date]]:
    """The days, each with how much is borrowed up to its end, one being an average day's."""
    days = [first + timedelta(days=number) for number in range(DAYS)]
    weights = [MONTHS[day.month - 1] * WEEKDAYS[day.weekday()] for day in days]
    scale = DAYS / sum(weights)
    return list(zip(itertools.accumulate(weight * scale for weight in weights), days, strict=True))


def _stays(*, rng: random.Random, calendar: list[tuple[float, date]], count: int) -> list[tuple[date, int]]:
    """First day and days out of each loan of one title; a book is back the day before the next loan."""
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
    """Days a book is kept: most come back within the term, some on renewal or late."""
    if rng.random() < 0.85:
        return round(rng.triangular(2, LOAN_DAYS, 16))
    return round(rng.triangular(LOAN_DAYS + 1, 3 * LOAN_DAYS, LOAN_DAYS + 10))


def _loan(*, rng: random.Random, borrower: str, book: str, day: date, stay: int, now: datetime) -> DemoLoan:
    borrowed_at = _opening_hour(rng=rng, day=day)
    returned_at = _opening_hour(rng=rng, day=day + timedelta(days=stay))
    kept = (min(returned_at, now) - borrowed_at).days
    # Two in three who keep a book longer renew it, twice at most; the others bring it late.
    renewals = min(math.ceil(kept / LOAN_DAYS) - 1, 2) if kept > LOAN_DAYS and rng.random() < 2 / 3 else 0
    return DemoLoan(
        borrower=borrower,
        book=book,
        borrowed_at=borrowed_at,
        returned_at=returned_at if returned_at <= now else None,
        due_at=borrowed_at + timedelta(days=LOAN_DAYS * (1 + renewals)),
        renewals=renewals,
    )


def _opening_hour(*, rng: random.Random, day: date) -> datetime:
    """A moment of a day between ten and eight."""
    return datetime.combine(day, time(10), tzinfo=UTC) + timedelta(seconds=rng.randrange(10 * 3600))
