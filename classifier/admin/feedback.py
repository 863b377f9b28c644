"""Borrower feedback on titles: read and withdraw."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from classifier.admin.base import ReadOnlyAdmin
from classifier.models import Feedback
from library.catalogue.admin.lookup import LookupAdmin
from library.catalogue.selectors.lookup import search_titles
from library.people.admin.audit import AuditedAdmin
from library.people.selectors import borrowers_by_card_number, without_personal_data


@admin.register(Feedback)
class FeedbackAdmin(LookupAdmin, AuditedAdmin, ReadOnlyAdmin):
    list_display = ["borrower", "book", "verdict", "created_at"]
    list_filter = [
        "verdict",
        ("borrower", AutocompleteSelectFilter),
        ("book", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    lookups = {"borrower": borrowers_by_card_number, "book": search_titles}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return without_personal_data(super().get_queryset(request).select_related("book"))
