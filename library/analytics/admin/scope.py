"""Filter form of the statistics pages; the filters are in the URL, so a page can be bookmarked and shared."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from library.analytics.selectors.scope import INTERVALS, Scope, last_year
from library.catalogue.models import Book, Branch, Category

#: More daily values would be an unreadable blur.
MAX_DAYS = 800
_INTERVAL_LABELS = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "quarter": gettext_lazy("Quarter"),
    "year": gettext_lazy("Year"),
}


class _DateInput(forms.DateInput):
    """The browser's own date field."""

    input_type = "date"

    def __init__(self) -> None:
        # ISO 8601 in every language: browsers accept nothing else.
        super().__init__(attrs=UnfoldAdminTextInputWidget().attrs, format="%Y-%m-%d")


class ScopeForm(forms.Form):
    """Filters of a page; an invalid value is ignored, and the page shows the error."""

    start = forms.DateField(
        label=gettext_lazy("from"), required=False, widget=_DateInput(), input_formats=["%Y-%m-%d"]
    )
    end = forms.DateField(
        label=gettext_lazy("to"), required=False, widget=_DateInput(), input_formats=["%Y-%m-%d"]
    )
    branch = forms.ModelChoiceField(
        label=gettext_lazy("branch"),
        queryset=Branch.objects.all(),
        required=False,
        empty_label=gettext_lazy("Any"),
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ModelChoiceField(
        label=gettext_lazy("category"),
        queryset=Category.objects.all(),
        required=False,
        # There may be thousands of categories.
        widget=AutocompleteSelect(Book._meta.get_field("category"), admin.site, attrs={"data-width": "100%"}),
    )
    interval = forms.ChoiceField(
        label=gettext_lazy("Group by"),
        choices=list(_INTERVAL_LABELS.items()),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, parameters: QueryDict, *, now: datetime) -> None:
        self.default_start, self.default_end = last_year(now=now)
        data = parameters.dict()
        # The fields show the values in use, including the defaults.
        data["start"] = data.get("start") or self.default_start.isoformat()
        data["end"] = data.get("end") or self.default_end.isoformat()
        data["interval"] = data.get("interval") or "month"
        super().__init__(data)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        start, end = values.get("start"), values.get("end")
        if start and end and start > end:
            self.add_error("end", _("The end date must not be before the start date."))
        elif start and end and values.get("interval") == "day" and (end - start).days > MAX_DAYS:
            self.add_error(
                "interval", _("Too many days for daily figures. Group by week or shorten the date range.")
            )
        return values

    def scope(self) -> Scope:
        """Return the selected scope, with defaults in place of invalid values."""
        self.is_valid()
        values = self.cleaned_data
        start, end = values.get("start"), values.get("end")
        if not start or not end or start > end:
            start, end = self.default_start, self.default_end
        branch, category = values.get("branch"), values.get("category")
        # The category widget cannot render a value that is not a key.
        self.data = {name: value for name, value in self.data.items() if name not in self.errors}
        return Scope(start, end, branch.pk if branch else None, category.pk if category else None)

    def selected_interval(self) -> str:
        """Return the selected length of the periods."""
        selected = self.cleaned_data.get("interval")
        return selected if selected in INTERVALS else "month"
