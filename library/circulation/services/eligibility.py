"""Whether a borrower may have anything more."""

from django.conf import settings
from django.utils.translation import gettext as _

from library.circulation.selectors.fines import owed_by
from library.circulation.services.refusals import Reason
from library.people.models import Borrower


def reasons_against(*, borrower: Borrower) -> list[Reason]:
    """Return why a borrower may not borrow, renew or hold now: `blocked`, `overdue_fines`."""
    reasons: list[Reason] = []
    if borrower.blocked:
        text = _("The borrower is blocked: %(reason)s") % {"reason": borrower.blocked}
        reasons.append(Reason("blocked", text))
    owed = owed_by(borrower=borrower)
    if owed > settings.FINE_LIMIT:
        text = _("The borrower owes %(owed)s, more than %(limit)s: take a payment or waive it first.")
        reasons.append(Reason("overdue_fines", text % {"owed": owed, "limit": settings.FINE_LIMIT}))
    return reasons
