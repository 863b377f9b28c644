"""List filters of the admin site."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_date
from django.utils.timezone import make_aware
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.widgets import INPUT_CLASSES

#: Limits within which a day has neighbours in every time zone.
_MIN_DATE, _MAX_DATE = date(2, 1, 1), date(9998, 12, 31)


class DateRangeForm(forms.Form):
    """First and last day in the browser's own date fields; those of the theme need scripts."""

    def __init__(self, *, name: str, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        for end, label in (("from", _("From")), ("to", _("To"))):
            attrs = {"type": "date", "aria-label": label, "title": label, "class": " ".join(INPUT_CLASSES)}
            widget = forms.DateInput(attrs=attrs)
            self.fields[f"{name}_{end}"] = forms.DateField(label="", required=False, widget=widget)


class DateRangeFilter(RangeDateFilter):
    """Filter a time by whole days.

    Django's ``date_hierarchy`` reads every row to list the years; this filter uses an index.
    """

    form_class: ClassVar[Any] = DateRangeForm

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first, last = (self._day(end) for end in ("from", "to"))
        if first:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, end: str) -> datetime | None:
        try:
            day = parse_date(self.used_parameters.get(f"{self.field_path}_{end}") or "")
        except ValueError:
            return None
        if day is None:
            return None
        return make_aware(datetime.combine(min(max(day, _MIN_DATE), _MAX_DATE), time.min))
