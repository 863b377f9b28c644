"""When a loan falls due: the library's days, not those of a clock in Greenwich."""

from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q
from django.utils.timezone import get_default_timezone

from library.circulation.models import ClosedDay


def library_date(*, at: datetime) -> date:
    """Return the day it is in the library (the setting TIME_ZONE)."""
    return at.astimezone(get_default_timezone()).date()


def start_of_day(*, day: date) -> datetime:
    """Return when a day begins in the library, in UTC."""
    return datetime.combine(day, time.min, tzinfo=get_default_timezone()).astimezone(UTC)


def due_at(*, start: datetime, days: int, branch_id: int | None) -> datetime:
    """Return the end of the day on which a loan falls due, in UTC.

    Parameters
    ----------
    start : datetime
    days : int
        After the day of `start`; a day on which the branch or the whole library is closed moves it on.
    branch_id : int or None
        Where the copy is to be brought back.

    Returns
    -------
    datetime
    """
    day = library_date(at=start) + timedelta(days=days)
    closed = ClosedDay.objects.filter(Q(branch=None) | Q(branch=branch_id), date__gte=day).order_by()
    closed_days = set(closed.values_list("date", flat=True))
    while day in closed_days:
        day += timedelta(days=1)
    # Where clocks go back at midnight the last hour comes twice: the day ends with the second.
    end = time.max.replace(fold=1)
    return datetime.combine(day, end, tzinfo=get_default_timezone()).astimezone(UTC)
