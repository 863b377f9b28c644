"""The page with the lists for nobody in particular, side by side."""

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from classifier.admin.filtering import FilterForm, category_field
from classifier.models import Listing
from classifier.selectors.listings import in_words, listed, reason
from library.catalogue.models import Branch

_SHOWN = 12
"""Titles of a list: what is read at a glance."""
_EMPTY = {
    Listing.Kind.POPULAR: gettext_lazy("No title here was borrowed often enough to be told of."),
    Listing.Kind.TRENDING: gettext_lazy("No title here is borrowed more than was to be expected."),
    Listing.Kind.LATEST: gettext_lazy("No title here has come since the catalogue was first filled."),
    Listing.Kind.TREASURE: gettext_lazy("No title here is borrowed less than titles like it."),
}


class ListingFilterForm(FilterForm):
    branch = forms.ModelChoiceField(
        label=gettext_lazy("branch"),
        queryset=Branch.objects.all(),
        required=False,
        empty_label=gettext_lazy("any"),
        widget=UnfoldAdminSelectWidget,
    )
    category = category_field(label=gettext_lazy("category"))
    language = forms.CharField(
        label=gettext_lazy("language"), required=False, max_length=12, widget=UnfoldAdminTextInputWidget
    )
    available = forms.BooleanField(
        label=gettext_lazy("to be had now"), required=False, widget=UnfoldBooleanWidget
    )


def lists_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Return the page; who may see books may see it."""
    form = ListingFilterForm(request.GET)
    chosen = form.chosen()
    lists = [
        {
            "heading": kind.label,
            "empty": _EMPTY[kind],
            "titles": [
                {"book": listing.book, "reason": in_words(reason(listing))}
                for listing in listed(kind=kind, **chosen)[:_SHOWN]
            ],
        }
        for kind in Listing.Kind
    ]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Popular and new"),
        "opts": model_admin.opts,
        "filters": form,
        "is_filtered": bool(chosen),
        "lists": lists,
        "media": form.media,
    }
    return render(request, "classifier/listings.html", context)
