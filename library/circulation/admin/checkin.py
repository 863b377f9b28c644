"""Check-in page of the desk: scan copies and see where each goes."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.catalogue.models import Copy
from library.circulation.admin.desk import DeskPage
from library.circulation.models import Loan
from library.circulation.selectors.fines import owed_for
from library.circulation.services.checkin import CheckinResult, checkin
from library.circulation.services.transits import Action as Destination
from library.people.models import AuditEntry

Action = AuditEntry.Action
_LAST_LOAN = "desk_last_loan"


class CheckinPage(DeskPage):
    template = "circulation/desk/checkin.html"
    title = gettext_lazy("Check in")

    def get(self, request: HttpRequest) -> HttpResponse:
        loans = Loan.objects.select_related("copy__book").filter(
            pk=request.session.get(_LAST_LOAN, 0), borrower__isnull=False
        )
        loan = loans.first()
        owed = owed_for(loan=loan) if loan else 0
        response = self.page(request, loan=loan if owed else None, owed=owed)
        if loan and owed:
            self.audit(request, Action.VIEWED, loan)
        return response

    def scan(self, request: HttpRequest, **kwargs: Any) -> None:
        barcode = request.POST.get("scan", "").strip()
        request.session.pop(_LAST_LOAN, None)
        if not barcode:
            return
        copy = self.copy(barcode)
        if copy is None:
            messages.error(request, _("No copy has the barcode %s.") % barcode)
            return
        was_lost = copy.status == Copy.Status.LOST
        result = checkin(copy=copy, branch=self.branch(request), now=timezone.now())
        if result.loan:
            request.session[_LAST_LOAN] = result.loan.pk
            self.audit(request, Action.CHANGED, result.loan)
        if result.hold:
            self.audit(request, Action.VIEWED, result.hold)
        self._show_result(request, result, was_lost)

    def renew(self, request: HttpRequest, **kwargs: Any) -> None:
        # A returned loan cannot be renewed.
        return None

    def _show_result(self, request: HttpRequest, result: CheckinResult, was_lost: bool) -> None:
        values = {"title": result.copy.book, "barcode": result.copy}
        if was_lost:
            messages.warning(request, _("Lost copy found: %(title)s (%(barcode)s).") % values)
        elif result.loan:
            messages.success(request, _("Checked in: %(title)s (%(barcode)s).") % values)
        else:
            messages.info(request, _("Not checked out: %(title)s (%(barcode)s).") % values)
        if result.fine:
            messages.warning(request, _("Fine charged: %s.") % result.fine)
        target = {"card": result.hold.borrower if result.hold else "", "branch": result.destination}
        if result.action == Destination.HOLD_SHELF:
            messages.warning(request, _("Hold for %(card)s: put it on the hold shelf.") % target)
        elif result.action == Destination.SEND and result.hold:
            text = _("Hold for %(card)s: send it to %(branch)s.")
            messages.warning(request, text % target)
        elif result.action == Destination.SEND:
            messages.warning(request, _("Send it to its home branch, %(branch)s.") % target)
        else:
            messages.info(request, _("Reshelve."))
