"""Check-out page of the desk: scan a borrower's card, then copies."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.circulation.admin.desk import DeskPage
from library.circulation.models import Hold, Loan
from library.circulation.selectors.calendar import library_date
from library.circulation.selectors.fines import loans_owed_for
from library.circulation.selectors.holds import last_day_on_shelf
from library.circulation.selectors.overdue import days_late
from library.circulation.services.checkout import checkout
from library.circulation.services.eligibility import blocks
from library.circulation.services.renewals import renew
from library.people.models import AuditEntry, Borrower
from library.people.selectors import search_borrowers

Action = AuditEntry.Action


class CheckoutPage(DeskPage):
    template = "circulation/desk/checkout.html"
    title = gettext_lazy("Check out")

    def get(self, request: HttpRequest, borrower: int | None = None) -> HttpResponse:
        if borrower is None:
            return self.page(request)
        account = get_object_or_404(Borrower.objects.select_related("category"), pk=borrower)
        now = timezone.now()
        loans = Loan.objects.filter(borrower=account, returned_at=None).select_related("copy__book")
        holds = Hold.objects.filter(borrower=account, status=Hold.Status.READY)
        response = self.page(
            request,
            borrower=account,
            reasons=blocks(borrower=account),
            loans=[
                (loan, library_date(at=loan.due_at), days_late(loan=loan, now=now))
                for loan in loans.order_by("due_at", "pk")
            ],
            balances=loans_owed_for(borrower=account),
            ready=[
                (hold, hold.ready_at and last_day_on_shelf(ready_at=hold.ready_at))
                for hold in holds.select_related("book", "copy", "pickup_branch").order_by("ready_at", "pk")
            ],
        )
        self.audit(request, Action.VIEWED, account)
        return response

    def scan(self, request: HttpRequest, **kwargs: Any) -> str | None:
        borrower = kwargs.get("borrower")
        code = request.POST.get("scan", "").strip()
        if not code:
            return None
        if borrower is None:
            return self._open(request, code)
        copy = self.copy(code)
        if copy is None:
            # The next borrower's card opens the next account.
            next_borrower = Borrower.objects.filter(card_number=code).first()
            if next_borrower:
                return _page_of(next_borrower)
            messages.error(request, _("No copy or borrower found for %s.") % code)
            return None
        account = get_object_or_404(Borrower, pk=borrower)
        loan = checkout(copy=copy, borrower=account, branch=self.branch(request), now=timezone.now())
        self.audit(request, Action.CHANGED, loan)
        values = {"title": copy.book, "barcode": copy, "day": _day(loan)}
        messages.success(request, _("Due %(day)s: %(title)s (%(barcode)s).") % values)
        return None

    def renew(self, request: HttpRequest, **kwargs: Any) -> None:
        loan = self.loan(request)
        loan = renew(loan=loan, now=timezone.now())
        self.audit(request, Action.CHANGED, loan)
        values = {"title": loan.copy.book, "day": _day(loan)}
        messages.success(request, _("Renewed, now due %(day)s: %(title)s.") % values)

    def _open(self, request: HttpRequest, code: str) -> str | None:
        matches = list(Borrower.objects.filter(card_number=code)[:1]) or list(
            search_borrowers(query=code)[:2]
        )
        self.audit(request, Action.SEARCHED, model=Borrower, listed=[borrower.pk for borrower in matches])
        if len(matches) == 1:
            return _page_of(matches[0])
        if matches:
            messages.warning(request, _("Several borrowers match. Scan the card, or search under Borrowers."))
        else:
            messages.error(request, _("No borrower has the card number %s.") % code)
        return None


def _page_of(borrower: Borrower) -> str:
    return reverse("admin:circulation_loan_checkout_borrower", args=[borrower.pk])


def _day(loan: Loan) -> str:
    return date_format(library_date(at=loan.due_at))
