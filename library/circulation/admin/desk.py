"""Base of the desk pages: branch of the desk, scanning, and messages."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from library.catalogue.models import Branch, Copy
from library.circulation.models import Loan
from library.circulation.services.fines import pay_fine
from library.circulation.services.refusals import CirculationRefused
from library.errors import LibraryError
from library.people.models import AuditEntry
from library.people.services.audit import write_entry

_BRANCH_KEY = "desk_branch"

#: Advice for reasons whose message contains none, by code.
_ADVICE = {
    "blocked": gettext_lazy("Resolve the reason, then remove the block on the borrower page."),
    "limit_reached": gettext_lazy("Check something in first, or change the loan policy."),
    "held_for_another": gettext_lazy("Keep the copy at the desk and check it in to fill the hold."),
    "renewals_exhausted": gettext_lazy("The copy must be returned."),
    "withdrawn": gettext_lazy("Set the copy aside. It can be reinstated on the Copies page."),
    "more_than_owed": gettext_lazy("Check the amount owed now."),
}


class DeskPage(View):
    """Base view: each POST performs one action, shows its outcome and returns to the scan field."""

    http_method_names = ["get", "post"]
    #: The loan admin that these pages belong to.
    loans: Any = None
    template = ""
    title = gettext_lazy("Desk")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        allowed = request.user.has_perms(["circulation.add_loan", "people.view_borrower"])
        self.loans.require(request, allowed)
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Perform the action of a button or scan; the next page shows its outcome."""
        actions = {"scan": self.scan, "branch": self.choose_branch, "pay": self.pay, "renew": self.renew}
        perform = actions.get(request.POST.get("action", ""), self.scan)
        if perform == self.pay:
            # Before the transaction, so that the audit entry of a refusal is kept.
            self.loans.require(request, request.user.has_perm("circulation.add_fineentry"))
        try:
            with transaction.atomic():
                next_page = perform(request, **kwargs)
        except CirculationRefused as refused:
            for reason in refused.reasons:
                advice = _ADVICE.get(reason.code, "")
                messages.error(request, f"{reason.message} → {advice}" if advice else reason.message)
        except LibraryError as error:
            messages.error(request, error.message)
        else:
            if next_page:
                return HttpResponseRedirect(next_page)
        return HttpResponseRedirect(request.path)

    def scan(self, request: HttpRequest, **kwargs: Any) -> str | None:
        """Process a scanned code; return the URL to continue with, None for this page."""
        raise NotImplementedError

    def renew(self, request: HttpRequest, **kwargs: Any) -> str | None:
        raise NotImplementedError

    def choose_branch(self, request: HttpRequest, **kwargs: Any) -> None:
        """Store the branch of this desk in the session."""
        code = request.POST.get("branch", "")
        if code:
            branch = get_object_or_404(Branch, code=code)
            request.session[_BRANCH_KEY] = branch.pk
        else:
            request.session.pop(_BRANCH_KEY, None)

    def pay(self, request: HttpRequest, **kwargs: Any) -> None:
        """Record the payment that the button submits."""
        loan = self.loan(request)
        field = forms.DecimalField(max_digits=8, decimal_places=2)
        try:
            amount = field.clean(request.POST.get("amount"))
        except forms.ValidationError as error:
            messages.error(request, error.messages[0])
            return
        entry = pay_fine(loan=loan, amount=amount, now=timezone.now())
        self.audit(request, AuditEntry.Action.CHANGED, entry)
        values = {"amount": entry.amount, "title": loan.copy.book}
        messages.success(request, _("Payment recorded: %(amount)s for %(title)s.") % values)

    def loan(self, request: HttpRequest) -> Loan:
        """Return the loan that a button submits."""
        key = request.POST.get("loan", "")
        loans = Loan.objects.select_related("copy__book").filter(borrower__isnull=False)
        return get_object_or_404(loans, pk=key if key.isascii() and key.isdecimal() else None)

    def branch(self, request: HttpRequest) -> Branch | None:
        """Return the branch of this desk; None if not set."""
        return Branch.objects.filter(pk=request.session.get(_BRANCH_KEY, 0)).first()

    def copy(self, barcode: str) -> Copy | None:
        return Copy.objects.select_related("book").filter(barcode=barcode).first()

    def page(self, request: HttpRequest, **context: Any) -> HttpResponse:
        branches = list(Branch.objects.all())
        desk_branch = next(
            (branch for branch in branches if branch.pk == request.session.get(_BRANCH_KEY)), None
        )
        shared = {
            **self.loans.admin_site.each_context(request),
            "title": self.title,
            "branches": branches,
            "desk_branch": desk_branch,
            "may_pay": request.user.has_perm("circulation.add_fineentry"),
        }
        return render(request, self.template, shared | context)

    def audit(
        self,
        request: HttpRequest,
        action: AuditEntry.Action,
        record: Model | None = None,
        *,
        model: type[Model] | None = None,
        listed: Iterable[object] = (),
    ) -> None:
        """Write an audit entry for viewed or changed records."""
        write_entry(
            user=request.user,
            action=action,
            path=request.path,
            now=timezone.now(),
            model=type(record) if record else model,
            object_key=record.pk if record else "",
            listed=listed,
        )
