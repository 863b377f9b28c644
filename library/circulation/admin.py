"""The loans' desk."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from library.circulation.models import Loan
from library.people.audit_admin import AuditedAdmin


@admin.register(Loan)
class LoanAdmin(AuditedAdmin):
    list_display = ["copy", "title", "borrower", "borrowed_at", "due_at", "returned_at", "renewals"]
    list_select_related = ["copy__book", "borrower"]
    list_filter = [("returned_at", admin.EmptyFieldListFilter), ("borrower", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "borrowed_at"
    search_fields = ["copy__barcode", "copy__book__title", "borrower__card_number"]
    autocomplete_fields = ["copy", "borrower"]

    @display(description=_("title"), ordering="copy__book__title")
    def title(self, loan: Loan) -> str:
        return loan.copy.book.title
