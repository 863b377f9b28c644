"""Bulk review page: accept many confident suggestions of one category in one step."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminSelectWidget

from classifier.admin.filtering import FilterForm
from classifier.admin.review.queue import require_reviewer
from classifier.models import Review
from classifier.selectors.reviews import bulk_candidates, bulk_groups
from classifier.services.review.groups import MAX_BOOKS, accept_group, undo_group
from library.admin_site.users import signed_in
from library.catalogue.models import Category
from library.errors import LibraryError

_MAX_GROUPS = 40
_LEVELS = [("0.9", "90%"), ("0.95", "95%"), ("0.98", "98%"), ("0.99", "99%")]
_DEFAULT_LEVEL = 0.95
_MAX_WARNINGS = 5
"""Messages about skipped books; more would push the page out of view."""


class BulkFilterForm(FilterForm):
    probability = forms.TypedChoiceField(
        label=gettext_lazy("Minimum confidence"),
        choices=_LEVELS,
        coerce=float,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ModelChoiceField(
        queryset=Category.objects.all(), required=False, widget=forms.HiddenInput
    )


def bulk_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show one category's books with covers; a POST accepts the selected ones, or undoes the last step."""
    require_reviewer(request)
    if request.method == "POST":
        _handle_post(model_admin, request)
        return HttpResponseRedirect(request.get_full_path())
    filters = BulkFilterForm(request.GET).selected()
    reviewer, now = signed_in(request.user), timezone.now()
    probability = filters.get("probability", _DEFAULT_LEVEL)
    query: dict[str, Any] = {"probability": probability, "reviewer": reviewer, "now": now}
    groups = bulk_groups(**query, limit=_MAX_GROUPS)
    categories = [category for category, _books in groups]
    current = next((category for category in categories if category.pk == filters.get("category")), None)
    current = current or next(iter(categories), None)
    suggestions = bulk_candidates(**query).filter(category=current).select_related("book")[:MAX_BOOKS]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Review in bulk"),
        "opts": model_admin.opts,
        "levels": [(value, label, float(value) == probability) for value, label in _LEVELS],
        "probability": probability,
        "groups": groups,
        "current": current,
        "suggestions": suggestions.defer("evidence") if current else [],
        "can_undo": Review.objects.filter(reviewer=reviewer, withdrawn_at=None).exists(),
    }
    response = render(request, "classifier/review_bulk.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _handle_post(model_admin: admin.ModelAdmin, request: HttpRequest) -> None:
    reviewer, now = signed_in(request.user), timezone.now()
    keys = [key for key in request.POST.getlist("suggestion") if key.isascii() and key.isdecimal()]
    try:
        if request.POST.get("action") == "undo":
            undone = undo_group(reviewer=reviewer, now=now)
            for review in undone:
                model_admin.log_change(request, review.book, _("Undone: %s.") % review)
            text = ngettext("%d review undone.", "%d reviews undone.", len(undone)) % len(undone)
            model_admin.message_user(request, text, messages.SUCCESS)
            return
        result = accept_group(suggestions=list(map(int, keys)), reviewer=reviewer, now=now)
    except LibraryError as error:
        model_admin.message_user(request, error.message, messages.ERROR)
        return
    for book in result.filed:
        model_admin.log_change(request, book, f"Accepted the suggestion {book.category}.")
    text = ngettext("%d book filed as suggested.", "%d books filed as suggested.", len(result.filed))
    model_admin.message_user(request, text % len(result.filed), messages.SUCCESS)
    for message in result.skipped[:_MAX_WARNINGS]:
        model_admin.message_user(request, message, messages.WARNING)
    if (more := len(result.skipped) - _MAX_WARNINGS) > 0:
        text = ngettext("%d more book skipped.", "%d more books skipped.", more) % more
        model_admin.message_user(request, text, messages.WARNING)
