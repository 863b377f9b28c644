"""How many borrowers came in each month."""

from dataclasses import dataclass
from datetime import date

from django.conf import settings

from library.analytics.models import BorrowerMonth
from library.analytics.selectors.disclosure_control import told_groups
from library.analytics.selectors.scope import Scope


@dataclass(frozen=True)
class Month:
    """A month's borrowers; None where they are too few to be told of."""

    month: date
    new: int | None
    returning: int | None
    unknown: int


def borrower_months(*, scope: Scope) -> list[Month]:
    """Return the months that have a day within the scope, at all branches."""
    rows = BorrowerMonth.objects.filter(month__gte=scope.start.replace(day=1), month__lte=scope.end)
    found = []
    for row in rows.order_by("month"):
        told = told_groups({"new": row.new, "returning": row.returning}, least=settings.CO_BORROWING_MIN)
        found.append(Month(row.month, told["new"], told["returning"], row.unknown))
    return found
