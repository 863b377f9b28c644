"""Highlights page: the lists of popular, trending and new titles and of hidden gems."""

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from classifier.admin.filtering import FilterForm, category_field
from classifier.models import Listing
from classifier.selectors.listings import listed_titles, reason, reason_text
from library.catalogue.models import Branch

_TITLES_PER_LIST = 12
_EMPTY_TEXTS = {
    Listing.Kind.POPULAR: gettext_lazy("No popular titles yet. Titles with enough loans appear here."),
    Listing.Kind.TRENDING: gettext_lazy(
        "Nothing is trending right now. Titles borrowed more than expected appear here."
    ),
    Listing.Kind.LATEST: gettext_lazy(
        "No new titles yet. Titles added after the initial import appear here."
    ),
    Listing.Kind.HIDDEN_GEM: gettext_lazy(
        "No hidden gems right now. Titles borrowed less than similar ones appear here."
    ),
}


class ListingFilterForm(FilterForm):
    branch = forms.ModelChoiceField(
        label=gettext_lazy("branch"),
        queryset=Branch.objects.all(),
        required=False,
        empty_label=gettext_lazy("Any"),
        widget=UnfoldAdminSelectWidget,
    )
    category = category_field(label=gettext_lazy("category"))
    language = forms.CharField(
        label=gettext_lazy("language"), required=False, max_length=12, widget=UnfoldAdminTextInputWidget
    )
    available = forms.BooleanField(
        label=gettext_lazy("Available now"), required=False, widget=UnfoldBooleanWidget
    )


def highlights_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the lists side by side."""
    form = ListingFilterForm(request.GET)
    filters = form.selected()
    lists = [
        {
            "heading": kind.label,
            "empty_text": _EMPTY_TEXTS[kind],
            "titles": [
                {"book": listing.book, "reason": reason_text(reason(listing))}
                for listing in listed_titles(kind=kind, **filters)[:_TITLES_PER_LIST]
            ],
        }
        for kind in Listing.Kind
    ]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Highlights"),
        "opts": model_admin.opts,
        "filters": form,
        "is_filtered": bool(filters),
        "lists": lists,
        "media": form.media,
    }
    return render(request, "classifier/listings.html", context)
