"""Filter forms of the classifier's pages, with a type-ahead field for categories."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect

from library.catalogue.models import Book, Category


def category_field(**options: Any) -> forms.ModelChoiceField:
    """Return a type-ahead field for a category; there may be thousands."""
    # The autocomplete of the book's field excludes retired categories.
    widget = AutocompleteSelect(Book._meta.get_field("category"), admin.site, attrs={"data-width": "100%"})
    return forms.ModelChoiceField(queryset=Category.objects.all(), required=False, widget=widget, **options)


class FilterForm(forms.Form):
    """Optional filters in the query string."""

    def selected(self) -> dict[str, Any]:
        """Return the selected values, records as keys; the form shows an error for each invalid value."""
        self.is_valid()
        # The autocomplete widget cannot render a value that is not a key.
        self.data = {name: value for name, value in self.data.items() if name not in self.errors}
        values = {name: value for name, value in self.cleaned_data.items() if value}
        return {name: self.fields[name].prepare_value(value) for name, value in values.items()}
