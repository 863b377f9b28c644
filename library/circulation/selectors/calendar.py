"""Due dates and days in the time zone of the library."""

from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q
from django.utils.timezone import get_default_timezone

from library.circulation.models import ClosedDay


def library_date(*, at: datetime) -> date:
    """Return the date in the library (the setting TIME_ZONE) at a moment."""
    return at.astimezone(get_default_timezone()).date()


def start_of_day(*, day: date) -> datetime:
    """Return the start of a day in the library, in UTC."""
    return datetime.combine(day, time.min, tzinfo=get_default_timezone()).astimezone(UTC)


def due_at(*, start: datetime, days: int, branch_id: int | None) -> datetime:
    """Return the end of the day on which a loan falls due, in UTC.

    Parameters
    ----------
    days
        Days after the day of `start`; days on which the branch or the library is closed are skipped.
    branch_id
        Branch where the copy is to be returned.
    """
    day = library_date(at=start) + timedelta(days=days)
    closed = ClosedDay.objects.filter(Q(branch=None) | Q(branch=branch_id), date__gte=day).order_by()
    closed_days = set(closed.values_list("date", flat=True))
    while day in closed_days:
        day += timedelta(days=1)
    # Where clocks go back at midnight, the last hour occurs twice: fold=1 is the second.
    end = time.max.replace(fold=1)
    return datetime.combine(day, end, tzinfo=get_default_timezone()).astimezone(UTC)
