"""Count borrowers by month before their loans are anonymised; anonymisation changes no number."""

from datetime import date, timedelta

from django.db.models import Count, Exists, OuterRef, Q

from library.analytics.models import BorrowerMonth
from library.circulation.models import LoanEvent
from library.circulation.selectors.calendar import start_of_day
from library.people.models import Borrower


def count_borrowers(*, month: date) -> None:
    """Count the new and the returning borrowers of a month.

    A month is counted again only if its number of checkouts has changed and none of the attributed ones has
    been anonymised since, so its numbers never lose a borrower. Borrowers excluded from statistics do not
    count. A borrower with some anonymised loans counts as returning.

    Parameters
    ----------
    month
        First day of the month.
    """
    start = start_of_day(day=month)
    end = start_of_day(day=(month + timedelta(days=31)).replace(day=1))
    checkouts = LoanEvent.objects.filter(kind=LoanEvent.Kind.CHECKOUT).order_by()
    in_month = checkouts.filter(occurred_at__gte=start, occurred_at__lt=end)
    unattributed = Q(borrower=None) | Q(borrower__excluded_from_statistics=True)
    numbers = in_month.aggregate(checkouts=Count("pk"), unattributed=Count("pk", filter=unattributed))
    previous = BorrowerMonth.objects.filter(pk=month).first()
    if previous and (
        previous.checkouts == numbers["checkouts"] or previous.unattributed < numbers["unattributed"]
    ):
        return
    own = checkouts.filter(borrower=OuterRef("pk"))
    borrowers = Borrower.objects.filter(
        Exists(in_month.filter(borrower=OuterRef("pk"))), excluded_from_statistics=False
    )
    has_earlier_loans = Q(has_anonymised_loans=True) | Q(Exists(own.filter(occurred_at__lt=start)))
    people = borrowers.order_by().aggregate(all=Count("pk"), returning=Count("pk", filter=has_earlier_loans))
    BorrowerMonth.objects.update_or_create(
        pk=month,
        defaults={"new": people["all"] - people["returning"], "returning": people["returning"], **numbers},
    )
