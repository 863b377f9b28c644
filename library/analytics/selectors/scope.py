"""What a figure is about: days, a branch, a category; and the periods that days are put together to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.formats import date_format

from library.catalogue.selectors.categories import with_those_below
from library.circulation.selectors.calendar import library_date, start_of_day

INTERVALS = ("day", "week", "month", "quarter", "year")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Scope:
    """What is counted.

    Attributes
    ----------
    start, end : date
        The first and the last day.
    branch, category : int or None
        Keys; None is all of them. Of a category, those below it too.
    kept : dict
        What was read for it once and is needed again.
    """

    start: date
    end: date
    branch: int | None = None
    category: int | None = None
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def days(self) -> int:
        """How many days it is."""
        return (self.end - self.start).days + 1

    @property
    def categories(self) -> list[int]:
        """The keys of the category and of those below it."""
        if self.category is None:
            raise ValueError("All categories are meant.")
        if "categories" not in self.kept:
            self.kept["categories"] = with_those_below(category=self.category)
        return self.kept["categories"]

    def moments(self) -> Q:
        """Return the condition that an event's moment, ``at``, is within the days."""
        return Q(at__gte=start_of_day(day=self.start), at__lt=start_of_day(day=self.end + timedelta(days=1)))

    def places(self, *, branch: str = "branch", category: str = "") -> Q:
        """Return the condition that a row is of the branch and of the category, by the paths to them.

        Without a path to one, it does not count.
        """
        found = Q(**{branch: self.branch}) if branch and self.branch is not None else Q()
        if category and self.category is not None:
            found &= Q(**{f"{category}__in": self.categories})
        return found


def last_year(*, now: datetime) -> tuple[date, date]:
    """Return the first and the last day of the last twelve whole months and the days since."""
    today = library_date(at=now)
    return today.replace(year=today.year - 1, day=1), today


def period_of(*, day: date, interval: str) -> date:
    """Return the first day of the period that a day is in; weeks begin on Monday (ISO 8601)."""
    if interval == "day":
        return day
    if interval == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[interval]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def next_period(*, start: date, interval: str) -> date:
    """Return the first day of the period after the one that begins on a day."""
    if interval in ("day", "week"):
        return start + timedelta(days=7 if interval == "week" else 1)
    months = start.year * 12 + start.month - 1 + _MONTHS[interval]
    return date(months // 12, months % 12 + 1, 1)


def periods(*, start: date, end: date, interval: str) -> Iterator[date]:
    """Yield the first days of all periods that have a day between two days."""
    at = period_of(day=start, interval=interval)
    while at <= end:
        yield at
        at = next_period(start=at, interval=interval)


def period_name(*, start: date, interval: str) -> str:
    """Return what a period is called in the current language."""
    if interval == "month":
        return date_format(start, "YEAR_MONTH_FORMAT")
    if interval == "quarter":
        return f"{start.year} Q{(start.month + 2) // 3}"
    if interval == "year":
        return str(start.year)
    if interval == "week":
        year, week, _weekday = start.isocalendar()
        return f"{year}-W{week:02}"
    return date_format(start, "SHORT_DATE_FORMAT")
