"""Past checkouts by whole month, the input of the demand forecast."""

from collections import defaultdict
from datetime import date, datetime, timedelta

from django.db.models import Min, Sum

from library.analytics.models import CategoryDay, CategoryMonth
from library.analytics.selectors.scope import Scope, next_period, period_of, periods
from library.circulation.selectors.calendar import library_date

#: Older years say little about the next months.
MAX_YEARS = 10


def monthly_checkouts(*, scope: Scope, now: datetime) -> tuple[list[date], dict[int | None, list[int]]]:
    """Return the first days of the whole months since the first checkout, and the checkouts of each month.

    Checkouts are by key of the category that the books are filed under. The branch and category of `scope`
    count; its days do not.
    """
    this_month = library_date(at=now).replace(day=1)
    earliest = this_month.replace(year=this_month.year - MAX_YEARS)
    days = CategoryDay.objects.filter(scope.places(category="category"), checkouts__gt=0)
    first = days.filter(day__gte=earliest, day__lt=this_month).aggregate(day=Min("day"))["day"]
    if first is None:
        return [], {}
    start = period_of(day=first, interval="month")
    if first != start:
        start = next_period(start=start, interval="month")  # the first month may be incomplete
    months = list(periods(start=start, end=this_month - timedelta(days=1), interval="month"))
    positions = {month: position for position, month in enumerate(months)}
    series: dict[int | None, list[int]] = defaultdict(lambda: [0] * len(months))
    rows = CategoryMonth.objects.filter(scope.places(category="category"), checkouts__gt=0)
    rows = rows.filter(month__gte=start, month__lt=this_month).order_by()
    for month, category, checkouts in rows.values_list("month", "category").annotate(Sum("checkouts")):
        series[category][positions[month]] = checkouts
    return months, dict(series)
