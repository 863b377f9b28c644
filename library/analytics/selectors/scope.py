"""The scope of a statistic (days, branch, category) and the periods that group its days."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.formats import date_format

from library.catalogue.selectors.categories import descendants
from library.circulation.selectors.calendar import library_date, start_of_day

INTERVALS = ("day", "week", "month", "quarter", "year")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Scope:
    """The events and holdings to count.

    Attributes
    ----------
    start, end
        First and last day, both included.
    branch, category
        Keys; None means all. A category includes its subcategories.
    cache
        Query results that several statistics of the same scope share.
    """

    start: date
    end: date
    branch: int | None = None
    category: int | None = None
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.end - self.start).days + 1

    @property
    def categories(self) -> list[int]:
        """Keys of the category and its subcategories."""
        if self.category is None:
            raise ValueError("The scope covers all categories.")
        if "categories" not in self.cache:
            self.cache["categories"] = descendants(category=self.category)
        return self.cache["categories"]

    def dates(self) -> Q:
        """Return the condition that an event happened on one of the days."""
        first, after = start_of_day(day=self.start), start_of_day(day=self.end + timedelta(days=1))
        return Q(occurred_at__gte=first, occurred_at__lt=after)

    def places(self, *, branch: str = "branch", category: str = "") -> Q:
        """Return the condition that a row belongs to the branch and the category.

        Parameters
        ----------
        branch, category
            Lookup paths; an empty path switches that condition off.
        """
        condition = Q(**{branch: self.branch}) if branch and self.branch is not None else Q()
        if category and self.category is not None:
            condition &= Q(**{f"{category}__in": self.categories})
        return condition


def last_year(*, now: datetime) -> tuple[date, date]:
    """Return the first and last day of the last twelve whole months plus the current one."""
    today = library_date(at=now)
    return today.replace(year=today.year - 1, day=1), today


def period_of(*, day: date, interval: str) -> date:
    """Return the first day of the period that contains a day; weeks begin on Monday (ISO 8601)."""
    if interval == "day":
        return day
    if interval == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[interval]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def next_period(*, start: date, interval: str) -> date:
    """Return the first day of the period that follows the one beginning at `start`."""
    if interval in ("day", "week"):
        return start + timedelta(days=7 if interval == "week" else 1)
    months = start.year * 12 + start.month - 1 + _MONTHS[interval]
    return date(months // 12, months % 12 + 1, 1)


def periods(*, start: date, end: date, interval: str) -> Iterator[date]:
    """Yield the first day of each period that overlaps the days from `start` to `end`."""
    period = period_of(day=start, interval=interval)
    while period <= end:
        yield period
        period = next_period(start=period, interval=interval)


def period_name(*, start: date, interval: str) -> str:
    """Return the name of a period in the current language."""
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
