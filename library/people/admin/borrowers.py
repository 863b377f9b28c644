"""Borrowers and their categories in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from library.people.admin.audit import Action, AuditedAdmin
from library.people.models import Borrower, BorrowerCategory
from library.people.selectors import export_borrower, search_borrowers
from library.people.services.borrowers import save_borrower


@admin.register(BorrowerCategory)
class BorrowerCategoryAdmin(ModelAdmin):
    list_display = ["code", "name"]
    list_per_page = 50
    search_fields = ["code", "name"]


class BorrowerForm(forms.ModelForm):
    class Meta:
        widgets = {"address": UnfoldAdminTextareaWidget}


@admin.register(Borrower)
class BorrowerAdmin(AuditedAdmin):
    form = BorrowerForm
    list_display = ["card_number", "name", "category", "blocked"]
    # Sorting by ciphertext would put names in a random order.
    sortable_by = ["card_number", "category", "blocked"]
    list_select_related = ["category"]
    list_filter = [
        "category",
        ("blocked", admin.EmptyFieldListFilter),
        "retention",
        "excluded_from_statistics",
    ]
    list_per_page = 50
    show_full_result_count = False
    # Only shows the search box; the search itself uses the blind index.
    search_fields = ["card_number"]
    search_help_text = _("Card number, email, phone, or whole words of the name")
    autocomplete_fields = ["category"]
    change_form_before_template = "people/export_link.html"
    fieldsets = [
        (None, {"fields": ["card_number", "name", ("category", "blocked")]}),
        (_("Contact"), {"fields": [("email", "phone"), "address"]}),
        (_("Privacy"), {"fields": ["retention", "excluded_from_statistics"]}),
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Borrower], search_term: str
    ) -> tuple[QuerySet[Borrower], bool]:
        queryset, _duplicates = super().get_search_results(request, queryset, "")  # writes the audit entry
        if search_term.strip():
            queryset = queryset.filter(pk__in=search_borrowers(query=search_term).values("pk"))
        return queryset, False

    def save_model(self, request: HttpRequest, obj: Borrower, form: forms.ModelForm, change: bool) -> None:
        save_borrower(borrower=obj)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_safe(self.export_view))
        return [path("<int:pk>/export/", view, name="people_borrower_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Send everything stored about a borrower as a file for that person."""
        self.require(request, request.user.has_perm("people.export_borrower"))
        borrower = get_object_or_404(Borrower.objects.select_related("category"), pk=pk)
        exported = export_borrower(borrower=borrower, now=timezone.now())
        self.audit(request, Action.EXPORTED, object_key=borrower.pk)
        response = JsonResponse(exported, json_dumps_params={"ensure_ascii": False, "indent": 2})
        response["Content-Disposition"] = f'attachment; filename="borrower-{borrower.pk}.json"'
        return response
