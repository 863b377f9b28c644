"""Forms of category changes, one per kind."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import (
    BooksTo,
    Child,
    Merge,
    Move,
    Retire,
    Rule,
    Split,
    TaxonomyChangeRequest,
)

Kind = TaxonomyChange.Kind
_MAX_CHILDREN = 4
"""New categories on the page; the API and the command accept any number."""
_OPEN_CATEGORIES = Category.objects.filter(**Category.OPEN)


class ChangeForm(forms.Form):
    """A change of one category; the fields for other categories are type-ahead fields."""

    def __init__(self, *args: Any, category: Category, site: admin.AdminSite, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.category = category
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField):
                many = isinstance(field, forms.ModelMultipleChoiceField)
                widget = AutocompleteSelectMultiple if many else AutocompleteSelect
                # The autocomplete of the book's field excludes retired categories.
                field.widget = widget(Book._meta.get_field("category"), site)
                field.widget.choices = field.choices

    def change_request(self) -> TaxonomyChangeRequest:
        """Return the requested change; the form must be valid."""
        raise NotImplementedError


class MergeForm(ChangeForm):
    into = forms.ModelChoiceField(label=_("Merge into"), queryset=_OPEN_CATEGORIES)
    more = forms.ModelMultipleChoiceField(label=_("Also merge"), queryset=_OPEN_CATEGORIES, required=False)

    def change_request(self) -> TaxonomyChangeRequest:
        more = sorted(category.pk for category in self.cleaned_data["more"])
        return Merge(sources=(self.category.pk, *more), into=self.cleaned_data["into"].pk)


class RetireForm(ChangeForm):
    books_to = forms.ChoiceField(
        label=_("Move its books"), choices=BooksTo.choices, widget=UnfoldAdminSelectWidget
    )

    def change_request(self) -> TaxonomyChangeRequest:
        return Retire(category=self.category.pk, books_to=self.cleaned_data["books_to"])


class MoveForm(ChangeForm):
    parent = forms.ModelChoiceField(
        label=_("New parent category"),
        queryset=_OPEN_CATEGORIES,
        required=False,
        help_text=_("Leave blank to move it to the top level."),
    )

    def change_request(self) -> TaxonomyChangeRequest:
        parent = self.cleaned_data["parent"]
        return Move(category=self.category.pk, parent=parent.pk if parent else None)


class SplitForm(ChangeForm):
    rule = forms.ChoiceField(label=_("Books to move"), choices=Rule.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, _MAX_CHILDREN + 1):
            for name, label, widget in (
                ("notation", _("Notation of new category %d"), UnfoldAdminTextInputWidget),
                ("label_en", _("English label"), UnfoldAdminTextInputWidget),
                ("label_zh", _("Chinese label"), UnfoldAdminTextInputWidget),
                ("books", _("Control numbers, one per line"), UnfoldAdminTextareaWidget),
                ("words", _("Words, separated by commas"), UnfoldAdminTextInputWidget),
            ):
                self.fields[f"{name}_{number}"] = forms.CharField(
                    label=label % number if name == "notation" else label,
                    required=False,
                    max_length=200 if name in ("notation", "label_en", "label_zh") else None,
                    widget=widget(attrs={"rows": 3} if name == "books" else {}),
                )

    def change_request(self) -> TaxonomyChangeRequest:
        data = self.cleaned_data
        children = []
        for number in range(1, _MAX_CHILDREN + 1):
            values = {name: data[f"{name}_{number}"] for name in ("notation", "label_en", "label_zh")}
            if any(data[f"{name}_{number}"] for name in (*values, "books", "words")):
                books = data[f"books_{number}"].splitlines()
                words = data[f"words_{number}"].replace("，", ",").split(",")
                children.append(
                    Child(
                        **values,
                        books=tuple(line.strip() for line in books if line.strip()),
                        words=tuple(word.strip() for word in words if word.strip()),
                    )
                )
        return Split(category=self.category.pk, children=tuple(children), rule=data["rule"])


FORMS: dict[Kind, type[ChangeForm]] = {
    Kind.MERGE: MergeForm,
    Kind.SPLIT: SplitForm,
    Kind.RETIRE: RetireForm,
    Kind.MOVE: MoveForm,
}
