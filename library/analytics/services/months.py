"""Borrowers are counted by month while it is known who they were; what is forgotten changes no number."""

from datetime import date, timedelta

from django.db.models import Count, Exists, OuterRef, Q

from library.analytics.models import BorrowerMonth
from library.circulation.models import LoanEvent
from library.circulation.selectors.calendar import start_of_day
from library.people.models import Borrower


def count_borrowers(*, month: date) -> None:
    """Count who borrowed in a month for the first time, and who had borrowed before.

    A month is counted again only if it has other checkouts than before, and none of those that were known
    has been forgotten since: so its numbers lose nobody. Borrowers who are left out of statistics are not
    counted. Who is forgotten in part has borrowed before.

    Parameters
    ----------
    month : date
        Its first day.
    """
    start = start_of_day(day=month)
    end = start_of_day(day=(month + timedelta(days=31)).replace(day=1))
    checkouts = LoanEvent.objects.filter(kind=LoanEvent.Kind.CHECKOUT).order_by()
    in_month = checkouts.filter(at__gte=start, at__lt=end)
    unknown = Q(borrower=None) | Q(borrower__left_out=True)
    numbers = in_month.aggregate(checkouts=Count("pk"), unknown=Count("pk", filter=unknown))
    before = BorrowerMonth.objects.filter(pk=month).first()
    if before and (before.checkouts == numbers["checkouts"] or before.unknown < numbers["unknown"]):
        return
    own = checkouts.filter(borrower=OuterRef("pk"))
    came = Borrower.objects.filter(Exists(in_month.filter(borrower=OuterRef("pk"))), left_out=False)
    known_before = Q(has_forgotten=True) | Q(Exists(own.filter(at__lt=start)))
    people = came.order_by().aggregate(all=Count("pk"), returning=Count("pk", filter=known_before))
    BorrowerMonth.objects.update_or_create(
        pk=month,
        defaults={"new": people["all"] - people["returning"], "returning": people["returning"], **numbers},
    )
