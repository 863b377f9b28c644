"""What the two pages of the desk share: the branch it stands in, scanning, and how an outcome is told."""

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

_BRANCH = "desk_branch"

#: What to do about a reason whose own sentence does not say it.
_WHAT_TO_DO = {
    "blocked": gettext_lazy("Clear up why; the block is lifted on the borrower's page."),
    "limit_reached": gettext_lazy("Take something back first, or change the rule."),
    "held_for_another": gettext_lazy("Keep it at the desk and check it in: it then goes to the hold shelf."),
    "renewals_exhausted": gettext_lazy("It has to come back."),
    "withdrawn": gettext_lazy("Put it aside; it is reinstated on the page of the copies."),
    "more_than_owed": gettext_lazy("Look at what is owed now."),
}


class DeskPage(View):
    """Base of the pages: each request does one thing, tells it, and comes back to the field for scanning."""

    http_method_names = ["get", "post"]
    #: The admin of the loans, whose pages these are.
    loans: Any = None
    template = ""
    title = gettext_lazy("Desk")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        may = request.user.has_perms(["circulation.add_loan", "people.view_borrower"])
        self.loans.refuse_unless(request, may)
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Do what a button or a scan asks for; its outcome is told on the page that comes next."""
        acts = {"scan": self.scan, "branch": self.choose_branch, "pay": self.pay, "renew": self.renew}
        act = acts.get(request.POST.get("action", ""), self.scan)
        if act == self.pay:
            # Before the transaction: the entry that says so must stay.
            self.loans.refuse_unless(request, request.user.has_perm("circulation.add_fineentry"))
        try:
            with transaction.atomic():
                next_page = act(request, **kwargs)
        except CirculationRefused as refused:
            for reason in refused.reasons:
                hint = _WHAT_TO_DO.get(reason.code, "")
                messages.error(request, f"{reason.message} → {hint}" if hint else reason.message)
        except LibraryError as error:
            messages.error(request, error.message)
        else:
            if next_page:
                return HttpResponseRedirect(next_page)
        return HttpResponseRedirect(request.path)

    def scan(self, request: HttpRequest, **kwargs: Any) -> str | None:
        """Do what the scanned code asks for; return the page to go on with, None for this one."""
        raise NotImplementedError

    def renew(self, request: HttpRequest, **kwargs: Any) -> str | None:
        raise NotImplementedError

    def choose_branch(self, request: HttpRequest, **kwargs: Any) -> None:
        """Remember where this desk stands, as long as the person is signed in."""
        code = request.POST.get("branch", "")
        if code:
            branch = get_object_or_404(Branch, code=code)
            request.session[_BRANCH] = branch.pk
        else:
            request.session.pop(_BRANCH, None)

    def pay(self, request: HttpRequest, **kwargs: Any) -> None:
        """Take what the button names as paid for a loan."""
        loan = self.loan(request)
        amount = forms.DecimalField(max_digits=8, decimal_places=2)
        try:
            paid = amount.clean(request.POST.get("amount"))
        except forms.ValidationError as error:
            messages.error(request, error.messages[0])
            return
        entry = pay_fine(loan=loan, amount=paid, now=timezone.now())
        self.audit(request, AuditEntry.Action.CHANGED, entry)
        values = {"amount": entry.amount, "title": loan.copy.book}
        messages.success(request, _("Paid: %(amount)s for %(title)s.") % values)

    def loan(self, request: HttpRequest) -> Loan:
        """Return the loan that a button names."""
        key = request.POST.get("loan", "")
        known = Loan.objects.select_related("copy__book").filter(borrower__isnull=False)
        return get_object_or_404(known, pk=key if key.isascii() and key.isdecimal() else None)

    def branch(self, request: HttpRequest) -> Branch | None:
        """Return where this desk stands, as far as it was said."""
        return Branch.objects.filter(pk=request.session.get(_BRANCH, 0)).first()

    def copy(self, barcode: str) -> Copy | None:
        return Copy.objects.select_related("book").filter(barcode=barcode).first()

    def page(self, request: HttpRequest, **context: Any) -> HttpResponse:
        branches = list(Branch.objects.all())
        here = next((each for each in branches if each.pk == request.session.get(_BRANCH)), None)
        shared = {
            **self.loans.admin_site.each_context(request),
            "title": self.title,
            "branches": branches,
            "here": here,
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
        """Write down what was looked at or changed."""
        write_entry(
            user=request.user,
            action=action,
            path=request.path,
            now=timezone.now(),
            model=type(record) if record else model,
            object_key=record.pk if record else "",
            listed=listed,
        )
