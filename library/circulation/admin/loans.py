"""Loan admin, with the desk pages and the import."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from library.admin_site.import_page import ImportAdmin
from library.admin_site.widgets.filters import DateRangeFilter
from library.catalogue.admin.lookup import LookupAdmin
from library.circulation.admin.checkin import CheckinPage
from library.circulation.admin.checkout import CheckoutPage
from library.circulation.admin.desk import DeskPage
from library.circulation.admin.importing import LOANS
from library.circulation.admin.reporting import SEARCH_HELP, borrower_card
from library.circulation.models import Loan
from library.circulation.selectors.lookup import LOANS_FOUND_BY
from library.circulation.services.reconciliation import reconcile_copies, reconcile_loans
from library.people.admin.audit import Action, AuditedAdmin
from library.people.selectors import without_personal_data


@admin.register(Loan)
class LoanAdmin(LookupAdmin, ImportAdmin, AuditedAdmin):
    list_display = ["copy", "title", borrower_card, "borrowed_at", "due_at", "returned_at", "renewals"]
    list_filter = [
        ("returned_at", admin.EmptyFieldListFilter),
        ("borrowed_at", DateRangeFilter),
        ("borrower", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    lookups = LOANS_FOUND_BY
    search_help_text = SEARCH_HELP
    autocomplete_fields = ["copy", "borrower", "branch"]
    readonly_fields = ["lost_at"]
    fields = ["copy", "borrower", "borrowed_at", "due_at", "returned_at", "renewals", "lost_at", "branch"]
    imports = LOANS

    def get_fields(self, request: HttpRequest, obj: Loan | None = None) -> list[Any]:
        fields = list(self.fields)
        if obj is not None and obj.borrower_id is None:
            # The borrower of an anonymised loan cannot be entered again.
            fields[fields.index("borrower")] = borrower_card
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: Loan | None = None) -> list[Any]:
        return [*self.readonly_fields, borrower_card]

    def get_urls(self) -> list[Any]:
        pages: list[tuple[str, type[DeskPage], str]] = [
            ("checkout/", CheckoutPage, "checkout"),
            ("checkout/<int:borrower>/", CheckoutPage, "checkout_borrower"),
            ("checkin/", CheckinPage, "checkin"),
        ]
        urls = [
            path(route, self.admin_site.admin_view(page.as_view(loans=self)), name=f"circulation_loan_{name}")
            for route, page, name in pages
        ]
        return [*urls, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Loan]:
        return without_personal_data(super().get_queryset(request).select_related("copy__book"))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        return self._audit_refusal(request, super().import_view)

    def record_import(self, request: HttpRequest, *, imported: bool) -> None:
        # A check reveals borrower_card borrowed what: an existing loan counts as unchanged.
        self.audit(request, Action.CHANGED if imported else Action.SEARCHED)

    def save_model(self, request: HttpRequest, obj: Loan, form: ModelForm, change: bool) -> None:
        # Only changed fields: the loan may be anonymised at the same time.
        obj.save(update_fields=form.changed_data if change else None)
        reconcile_loans(
            checked_out=[] if change else [obj],
            returned=[obj] if obj.returned_at and not form.initial.get("returned_at") else [],
            copy_ids={obj.copy_id, form.initial.get("copy") or obj.copy_id},
        )

    def delete_model(self, request: HttpRequest, obj: Loan) -> None:
        copy_id = obj.copy_id
        super().delete_model(request, obj)
        reconcile_copies(copy_ids=[copy_id])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        copy_ids = set(queryset.values_list("copy_id", flat=True))
        super().delete_queryset(request, queryset)
        reconcile_copies(copy_ids=copy_ids)

    @display(description=_("title"), ordering="copy__book__title")
    def title(self, loan: Loan) -> str:
        return loan.copy.book.title
