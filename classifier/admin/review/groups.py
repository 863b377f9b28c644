"""The page on which many books that are surely suggested one category are accepted in one go."""

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
from classifier.admin.review.desk import refuse_unless_reviewer
from classifier.models import Review
from classifier.selectors.reviews import alike, groups_alike
from classifier.services.review.groups import MOST, accept_all, undo_group
from library.admin_site.users import signed_in
from library.catalogue.models import Category
from library.errors import LibraryError

_GROUPS = 40
_LEVELS = [("0.9", "90%"), ("0.95", "95%"), ("0.98", "98%"), ("0.99", "99%")]
_USUAL = 0.95
_TOLD = 5
"""Sentences about books that were left out: more would push the page away."""


class GroupForm(FilterForm):
    """Which books stand on the page."""

    probability = forms.TypedChoiceField(
        label=gettext_lazy("at least this sure"),
        choices=_LEVELS,
        coerce=float,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ModelChoiceField(
        queryset=Category.objects.all(), required=False, widget=forms.HiddenInput
    )


def groups_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show a group with its covers; a POST accepts those that stay ticked, or takes the last go back."""
    refuse_unless_reviewer(request)
    if request.method == "POST":
        _act(model_admin, request)
        return HttpResponseRedirect(request.get_full_path())
    form = GroupForm(request.GET)
    chosen = form.chosen()
    reviewer, now = signed_in(request.user), timezone.now()
    asked: dict[str, Any] = {
        "probability": chosen.get("probability", _USUAL), "reviewer": reviewer, "now": now,
    }  # fmt: skip
    groups = groups_alike(**asked, most=_GROUPS)
    current = next((category for category, _books in groups if category.pk == chosen.get("category")), None)
    current = current or next((category for category, _books in groups), None)
    rows = alike(**asked).filter(category=current).select_related("book")[:MOST]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Alike ones together"),
        "opts": model_admin.opts,
        "levels": [(value, words, float(value) == asked["probability"]) for value, words in _LEVELS],
        "probability": asked["probability"],
        "groups": groups,
        "current": current,
        "suggestions": rows.defer("evidence") if current else [],
        "most": MOST,
        "last": Review.objects.filter(reviewer=reviewer, withdrawn_at=None).first(),
    }
    answer = render(request, "classifier/review_groups.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


def _act(model_admin: admin.ModelAdmin, request: HttpRequest) -> None:
    reviewer, now = signed_in(request.user), timezone.now()
    sent = [key for key in request.POST.getlist("suggestion") if key.isascii() and key.isdecimal()]
    try:
        if request.POST.get("do") == "undo":
            undone = undo_group(reviewer=reviewer, now=now)
            for review in undone:
                model_admin.log_change(request, review.book, _("Undone: %s.") % review)
            text = ngettext("%d review undone.", "%d reviews undone.", len(undone)) % len(undone)
            model_admin.message_user(request, text, messages.SUCCESS)
            return
        done = accept_all(suggestions=list(map(int, sent)), reviewer=reviewer, now=now)
    except LibraryError as error:
        model_admin.message_user(request, error.message, messages.ERROR)
        return
    for book in done.filed:
        model_admin.log_change(request, book, f"Accepted the suggestion {book.category}.")
    text = ngettext("%d book filed as suggested.", "%d books filed as suggested.", len(done.filed))
    model_admin.message_user(request, text % len(done.filed), messages.SUCCESS)
    for sentence in done.left_out[:_TOLD]:
        model_admin.message_user(request, sentence, messages.WARNING)
    if (more := len(done.left_out) - _TOLD) > 0:
        text = ngettext("%d more was left out.", "%d more were left out.", more) % more
        model_admin.message_user(request, text, messages.WARNING)
