"""What is late now."""

from datetime import datetime

from django.db.models import Count, Q

from library.analytics.selectors.scope import Scope
from library.circulation.models import Loan
from library.circulation.selectors.overdue import is_out, is_overdue

#: The least days late of each class.
CLASSES = (1, 8, 31, 91)


def overdue_by_branch(*, now: datetime, scope: Scope) -> dict[int | None, list[int]]:
    """Return by key of the branch how many loans are out and 1 to 7, 8 to 30, 31 to 90 and more days late."""
    out = Loan.objects.filter(is_out(), scope.places(category="copy__book__category"))
    out = out.filter(is_overdue(now=now)).order_by()
    at_least = {f"late_{days}": Count("pk", filter=is_overdue(now=now, days=days)) for days in CLASSES}
    found = {}
    for branch, *numbers in out.values_list("branch").annotate(**at_least):
        found[branch] = [more - less for more, less in zip(numbers, [*numbers[1:], 0], strict=True)]
    return found


def out_now(*, scope: Scope) -> int:
    """Return how many loans are out."""
    return Loan.objects.filter(is_out() & Q(scope.places(category="copy__book__category"))).count()
