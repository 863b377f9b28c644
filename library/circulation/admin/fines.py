"""Fine admin: a read-only ledger with a page to record payments and waivers."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from library.admin_site.widgets.filters import DateRangeFilter
from library.catalogue.admin.lookup import LookupAdmin
from library.circulation.admin.reporting import SEARCH_HELP, borrower_card
from library.circulation.models import FineEntry, Loan
from library.circulation.selectors.fines import owed_for
from library.circulation.selectors.lookup import FINES_FOUND_BY
from library.circulation.services.fines import pay_fine, waive_fine
from library.errors import LibraryError
from library.people.admin.audit import AuditedAdmin
from library.people.selectors import without_personal_data


class PaymentForm(forms.Form):
    kind = forms.ChoiceField(
        label=gettext_lazy("type"),
        choices=[
            (FineEntry.Kind.PAYMENT.value, FineEntry.Kind.PAYMENT.label),
            (FineEntry.Kind.WAIVER.value, FineEntry.Kind.WAIVER.label),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    amount = forms.DecimalField(
        label=gettext_lazy("amount"), max_digits=8, decimal_places=2, widget=UnfoldAdminDecimalFieldWidget
    )
    reason = forms.CharField(
        label=gettext_lazy("reason"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )

    def record(self, *, loan: Loan, now: Any) -> FineEntry:
        data = self.cleaned_data
        if data["kind"] == FineEntry.Kind.WAIVER:
            return waive_fine(loan=loan, amount=data["amount"], reason=data["reason"], now=now)
        return pay_fine(loan=loan, amount=data["amount"], now=now)


@admin.register(FineEntry)
class FineEntryAdmin(LookupAdmin, AuditedAdmin):
    list_display = ["created_at", borrower_card, "title", "kind", "amount", "reason", "payment_link"]
    list_filter = ["kind", ("created_at", DateRangeFilter), ("borrower", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    lookups = FINES_FOUND_BY
    search_help_text = SEARCH_HELP
    fields = ["loan", borrower_card, "kind", "amount", "reason", "created_at"]
    readonly_fields = [borrower_card]

    def get_queryset(self, request: HttpRequest) -> QuerySet[FineEntry]:
        return without_personal_data(super().get_queryset(request).select_related("loan__copy__book"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.payment_view)
        return [path("payment/<int:pk>/", view, name="circulation_fineentry_payment"), *super().get_urls()]

    def has_payment_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("circulation.add_fineentry")

    # Only the services add entries.
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=gettext_lazy("title"), ordering="loan__copy__book__title")
    def title(self, entry: FineEntry) -> str:
        return entry.loan.copy.book.title if entry.loan else "-"

    @display(description="")
    def payment_link(self, entry: FineEntry) -> SafeString | str:
        if entry.loan_id is None or entry.borrower_id is None or entry.kind != FineEntry.Kind.CHARGE:
            return ""
        url = reverse("admin:circulation_fineentry_payment", args=[entry.loan_id])
        return format_html('<a href="{}">{}</a>', url, _("Record payment or waiver"))

    def payment_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not (self.has_view_permission(request) and self.has_payment_permission(request)):
            raise PermissionDenied
        loans = Loan.objects.filter(borrower__isnull=False)  # an anonymised loan has no balance due
        loan = get_object_or_404(loans.select_related("copy__book", "borrower"), pk=pk)
        owed = owed_for(loan=loan)
        form = PaymentForm(request.POST or None, initial={"amount": owed})
        if request.method == "POST" and form.is_valid():
            try:
                entry = form.record(loan=loan, now=timezone.now())
            except LibraryError as error:
                form.add_error(None, error.message)
            else:
                self.log_addition(request, entry, _("Payment or waiver of %s recorded.") % entry.amount)
                self.message_user(
                    request, _("Payment or waiver of %s recorded.") % entry.amount, messages.SUCCESS
                )
                return HttpResponseRedirect(reverse("admin:circulation_fineentry_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Record payment or waiver"),
            "opts": self.opts,
            "form": form,
            "loan": loan,
            "owed": owed,
        }
        return render(request, "circulation/payment.html", context)
