"""Event counts of the current day, with typical values for the weekday."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Count, Q, Value
from django.utils.timezone import get_default_timezone

from library.circulation.models import LoanEvent
from library.circulation.selectors.calendar import library_date, start_of_day

WEEKS = 8
"""Number of past days with the same weekday: two months, so that a holiday does not affect the median."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCount:
    """Number of events today up to now.

    Attributes
    ----------
    typical_so_far
        Median on the same weekday up to the same time of day, over the last `WEEKS` weeks; None if those days
        have no events.
    typical_day
        Median of those whole days.
    """

    today: int
    typical_so_far: float | None
    typical_day: float | None


def daily_counts(*, kinds: tuple[str, ...], now: datetime) -> dict[str, DailyCount]:
    """Return the number of events of each kind today, with typical values, in one query.

    Parameters
    ----------
    kinds
        Values of `LoanEvent.Kind`.
    """
    day, clock = library_date(at=now), now.astimezone(get_default_timezone()).time()
    events = LoanEvent.objects.filter(kind__in=kinds).order_by()
    parts = []
    for week in range(WEEKS + 1):
        date = day - timedelta(weeks=week)
        until = datetime.combine(date, clock, tzinfo=get_default_timezone())
        first, after = start_of_day(day=date), start_of_day(day=date + timedelta(days=1))
        on_date = events.filter(occurred_at__gte=first, occurred_at__lt=after)
        so_far = Count("pk", filter=Q(occurred_at__lte=until))
        grouped = on_date.annotate(week=Value(week)).values_list("kind", "week")
        parts.append(grouped.annotate(so_far=so_far, whole_day=Count("pk")))
    # One part per day, so that the index is used for each: a single condition would read all days between.
    rows = parts[0].union(*parts[1:], all=True)
    counts = {(kind, week): numbers for kind, week, *numbers in rows}
    results = {}
    for kind in kinds:
        past = [counts.get((kind, week), [0, 0]) for week in range(1, WEEKS + 1)]
        has_past = any(whole_day for _so_far, whole_day in past)
        results[kind] = DailyCount(
            today=counts.get((kind, 0), [0, 0])[0],
            typical_so_far=median(so_far for so_far, _whole_day in past) if has_past else None,
            typical_day=median(whole_day for _so_far, whole_day in past) if has_past else None,
        )
    return results
