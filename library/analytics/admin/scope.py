"""The filters above the pages of the statistics; they stand in the address, which can be kept and sent."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from library.admin_site.widgets.fields import FoundByTyping
from library.analytics.selectors.scope import INTERVALS, Scope, last_year
from library.catalogue.models import Book, Branch, Category

#: More days would be drawn as a blur.
MOST_DAYS = 800
_ISO = ["%Y-%m-%d"]
_WORDS = {
    "day": gettext_lazy("days"),
    "week": gettext_lazy("weeks"),
    "month": gettext_lazy("months"),
    "quarter": gettext_lazy("quarters"),
    "year": gettext_lazy("years"),
}


class _Day(forms.DateInput):
    """The browser's own field for a day."""

    input_type = "date"

    def __init__(self) -> None:
        # ISO 8601 whatever the language: browsers take nothing else.
        super().__init__(attrs=UnfoldAdminTextInputWidget().attrs, format="%Y-%m-%d")


class ScopeForm(forms.Form):
    """What is shown; a value that cannot be used is passed over, and the page says so."""

    start = forms.DateField(
        label=gettext_lazy("from"), required=False, widget=_Day(), input_formats=["%Y-%m-%d"]
    )
    end = forms.DateField(label=gettext_lazy("to"), required=False, widget=_Day(), input_formats=["%Y-%m-%d"])
    branch = forms.ModelChoiceField(
        label=gettext_lazy("branch"),
        queryset=Branch.objects.all(),
        required=False,
        empty_label=gettext_lazy("any"),
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ModelChoiceField(
        label=gettext_lazy("category"),
        queryset=Category.objects.all(),
        required=False,
        # Found by typing: there may be thousands.
        widget=FoundByTyping(Book._meta.get_field("category"), admin.site),
    )
    interval = forms.ChoiceField(
        label=gettext_lazy("put together by"),
        choices=list(_WORDS.items()),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, given: Any, *, now: datetime) -> None:
        self.default_start, self.default_end = last_year(now=now)
        data = given.dict()
        # What is shown stands in the fields, chosen or not.
        data["start"] = data.get("start") or self.default_start.isoformat()
        data["end"] = data.get("end") or self.default_end.isoformat()
        data["interval"] = data.get("interval") or "month"
        super().__init__(data)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        start, end = found.get("start"), found.get("end")
        if start and end and start > end:
            self.add_error("end", _("The last day is before the first."))
        elif start and end and found.get("interval") == "day" and (end - start).days > MOST_DAYS:
            self.add_error("interval", _("That is too many days to show one by one: choose weeks."))
        return found

    def scope(self) -> Scope:
        """Return what is asked for; instead of what cannot be used, what is shown unasked."""
        self.is_valid()
        given = self.cleaned_data
        start, end = given.get("start"), given.get("end")
        if not start or not end or start > end:
            start, end = self.default_start, self.default_end
        branch, category = given.get("branch"), given.get("category")
        # The search for categories cannot draw what is no key.
        self.data = {name: value for name, value in self.data.items() if name not in self.errors}
        return Scope(start, end, branch.pk if branch else None, category.pk if category else None)

    def interval_chosen(self) -> str:
        """Return how days are put together."""
        chosen = self.cleaned_data.get("interval")
        return chosen if chosen in INTERVALS else "month"
