"""What borrowers said of titles, to be read, and to be withdrawn."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.models import Feedback
from library.catalogue.admin.lookup import FindingAdmin
from library.catalogue.selectors.lookup import titles_called
from library.people.admin.audit import AuditedAdmin
from library.people.selectors import borrowers_called, without_personal_data


@admin.register(Feedback)
class FeedbackAdmin(FindingAdmin, AuditedAdmin, ReadOnlyAdmin):
    list_display = ["borrower", "book", "verdict", "at"]
    list_filter = [
        "verdict",
        ("borrower", AutocompleteSelectFilter),
        ("book", AutocompleteSelectFilter),
    ]
    list_filter_submit = True
    found_by = {"borrower": borrowers_called, "book": titles_called}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        return without_personal_data(super().get_queryset(request).select_related("book"))
