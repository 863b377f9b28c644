"""How a day at the desk goes, beside the usual."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.db.models import Count, Q, Value
from django.utils.timezone import get_default_timezone

from library.circulation.models import LoanEvent
from library.circulation.selectors.calendar import library_date, start_of_day

WEEKS = 8
"""Of the same weekday, that say what is usual: two months, so that a holiday is outvoted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """What happened today up to now.

    Attributes
    ----------
    today : int
    usual : float or None
        Median of the same weekday up to the same time of day in the last `WEEKS` weeks; None if nothing at
        all happened on those days.
    whole_day : float or None
        Median of those days as a whole.
    """

    today: int
    usual: float | None
    whole_day: float | None


def so_far_today(*, kinds: tuple[str, ...], now: datetime) -> dict[str, SoFar]:
    """Return how much of each kind of event there was today, and usually is by this time; one query.

    Parameters
    ----------
    kinds : tuple of str
        Of `LoanEvent.Kind`.
    now : datetime
    """
    day, clock = library_date(at=now), now.astimezone(get_default_timezone()).time()
    events = LoanEvent.objects.filter(kind__in=kinds).order_by()
    parts = []
    for week in range(WEEKS + 1):
        then = day - timedelta(weeks=week)
        until = datetime.combine(then, clock, tzinfo=get_default_timezone())
        on_day = events.filter(
            at__gte=start_of_day(day=then), at__lt=start_of_day(day=then + timedelta(days=1))
        )
        so_far = Count("pk", filter=Q(at__lte=until))
        counted = on_day.annotate(week=Value(week)).values_list("kind", "week")
        parts.append(counted.annotate(so_far=so_far, whole=Count("pk")))
    # A part a day, so that each is looked up in the index: one condition for all would read all between.
    rows = parts[0].union(*parts[1:], all=True)
    counts = {(kind, week): numbers for kind, week, *numbers in rows}
    found = {}
    for kind in kinds:
        before = [counts.get((kind, week), [0, 0]) for week in range(1, WEEKS + 1)]
        known = any(each[1] for each in before)
        found[kind] = SoFar(
            today=counts.get((kind, 0), [0, 0])[0],
            usual=median(each[0] for each in before) if known else None,
            whole_day=median(each[1] for each in before) if known else None,
        )
    return found
