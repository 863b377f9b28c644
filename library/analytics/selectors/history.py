"""The whole months of the past, as forecasts need them."""

from collections import defaultdict
from datetime import date, datetime, timedelta

from django.db.models import Min, Sum

from library.analytics.models import CategoryDay, CategoryMonth
from library.analytics.selectors.scope import Scope, next_period, period_of, periods
from library.circulation.selectors.calendar import library_date

#: What was further back tells little of the next months.
YEARS = 10


def monthly_checkouts(*, scope: Scope, now: datetime) -> tuple[list[date], dict[int | None, list[int]]]:
    """Return the whole months since the first checkout, and by category the checkouts of each.

    Parameters
    ----------
    scope : Scope
        Its days do not count.
    now : datetime

    Returns
    -------
    list of date
        The first day of each month; the month that is not over yet is not among them.
    dict
        By key of the category that the books are filed under, one number a month.
    """
    this_month = library_date(at=now).replace(day=1)
    earliest = this_month.replace(year=this_month.year - YEARS)
    days = CategoryDay.objects.filter(scope.places(category="category"), checkouts__gt=0)
    first = days.filter(day__gte=earliest, day__lt=this_month).aggregate(day=Min("day"))["day"]
    if first is None:
        return [], {}
    start = period_of(day=first, interval="month")
    if first != start:
        start = next_period(start=start, interval="month")  # the first month may be a part of one only
    months = list(periods(start=start, end=this_month - timedelta(days=1), interval="month"))
    places = {month: place for place, month in enumerate(months)}
    found: dict[int | None, list[int]] = defaultdict(lambda: [0] * len(months))
    by_month = CategoryMonth.objects.filter(scope.places(category="category"), checkouts__gt=0)
    by_month = by_month.filter(month__gte=start, month__lt=this_month).order_by()
    sums = by_month.values_list("month", "category").annotate(Sum("checkouts"))
    for month, category, number in sums:
        found[category][places[month]] = number
    return months, dict(found)
