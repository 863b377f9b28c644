"""Patron blocks: reasons why a borrower may not borrow, renew or place holds."""

from django.conf import settings
from django.utils.translation import gettext as _

from library.circulation.selectors.fines import owed_by
from library.circulation.services.refusals import Reason
from library.people.models import Borrower


def blocks(*, borrower: Borrower) -> list[Reason]:
    """Return the blocks on a borrower: `blocked`, `overdue_fines`."""
    reasons: list[Reason] = []
    if borrower.blocked:
        text = _("The borrower is blocked: %(reason)s") % {"reason": borrower.blocked}
        reasons.append(Reason("blocked", text))
    owed = owed_by(borrower=borrower)
    if owed > settings.FINE_LIMIT:
        text = _(
            "The borrower owes %(owed)s, which exceeds the limit of %(limit)s. Record a payment "
            "or waiver first."
        )
        reasons.append(Reason("overdue_fines", text % {"owed": owed, "limit": settings.FINE_LIMIT}))
    return reasons
