"""Number of borrowers in each month."""

from dataclasses import dataclass
from datetime import date

from django.conf import settings

from library.analytics.models import BorrowerMonth
from library.analytics.selectors.disclosure_control import suppress_small_cells
from library.analytics.selectors.scope import Scope


@dataclass(frozen=True)
class MonthlyBorrowers:
    """Borrowers of one month; None where there are too few to publish."""

    month: date
    new: int | None
    returning: int | None
    unattributed: int


def borrower_months(*, scope: Scope) -> list[MonthlyBorrowers]:
    """Return the months with at least one day in the scope, for all branches together."""
    rows = BorrowerMonth.objects.filter(month__gte=scope.start.replace(day=1), month__lte=scope.end)
    months = []
    for row in rows.order_by("month"):
        counts = {"new": row.new, "returning": row.returning}
        published = suppress_small_cells(counts, minimum=settings.CO_BORROWING_MIN)
        months.append(MonthlyBorrowers(row.month, published["new"], published["returning"], row.unattributed))
    return months
