"""What the forms of the classifier's pages share: categories found by typing, filters in the address."""

from typing import Any

from django import forms
from django.contrib import admin

from library.admin_site.widgets.fields import FoundByTyping
from library.catalogue.models import Book, Category


def category_field(**options: Any) -> forms.ModelChoiceField:
    """Return a field that finds a category by typing: there may be thousands."""
    # The search is the one of the book's field, which leaves out categories that were given up.
    search = FoundByTyping(Book._meta.get_field("category"), admin.site)
    return forms.ModelChoiceField(queryset=Category.objects.all(), required=False, widget=search, **options)


class FilterForm(forms.Form):
    """Filters in an address, all of them optional."""

    def chosen(self) -> dict[str, Any]:
        """Return what was chosen; a value that is none is passed over, and the page says so."""
        self.is_valid()
        # The search for categories cannot draw what is no key.
        self.data = {name: value for name, value in self.data.items() if name not in self.errors}
        given = {name: value for name, value in self.cleaned_data.items() if value}
        # A record by its key.
        return {name: self.fields[name].prepare_value(value) for name, value in given.items()}
