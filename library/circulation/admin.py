"""The loans' desk."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from library.circulation.models import Loan
from library.people.selectors import without_personal_data


@admin.register(Loan)
class LoanAdmin(ModelAdmin):
    list_display = ["copy", "title", "borrower", "borrowed_at", "due_at", "returned_at", "renewals"]
    list_filter = [("returned_at", admin.EmptyFieldListFilter), ("borrower", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "borrowed_at"
    search_fields = ["copy__barcode", "copy__book__title", "borrower__card_number"]
    autocomplete_fields = ["copy", "borrower"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Loan]:
        return without_personal_data(super().get_queryset(request).select_related("copy__book"))

    @display(description=_("title"), ordering="copy__book__title")
    def title(self, loan: Loan) -> str:
        return loan.copy.book.title
