"""Loans that are overdue now."""

from datetime import datetime

from django.db.models import Count, Q

from library.analytics.selectors.scope import Scope
from library.circulation.models import Loan
from library.circulation.selectors.overdue import is_out, is_overdue

#: Fewest days overdue in each class.
DAY_CLASSES = (1, 8, 31, 91)


def overdue_by_branch(*, now: datetime, scope: Scope) -> dict[int | None, list[int]]:
    """Return the number of loans 1 to 7, 8 to 30, 31 to 90 and more than 90 days overdue, by branch key."""
    loans = Loan.objects.filter(is_out(), scope.places(category="copy__book__category"))
    loans = loans.filter(is_overdue(now=now)).order_by()
    at_least = {f"late_{days}": Count("pk", filter=is_overdue(now=now, days=days)) for days in DAY_CLASSES}
    by_branch = {}
    for branch, *counts in loans.values_list("branch").annotate(**at_least):
        by_branch[branch] = [more - less for more, less in zip(counts, [*counts[1:], 0], strict=True)]
    return by_branch


def out_now(*, scope: Scope) -> int:
    """Return the number of loans that are out."""
    return Loan.objects.filter(is_out() & Q(scope.places(category="copy__book__category"))).count()
