"""What a person says of a change of the classification scheme: one form a kind."""

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
    Wish,
)

Kind = TaxonomyChange.Kind
_CHILDREN = 4
"""New categories that the page has room for; the API and the command take any number."""
_OPEN = Category.objects.filter(**Category.OPEN)


class ChangeForm(forms.Form):
    """Of one category; fields that name others find them by typing."""

    def __init__(self, *args: Any, category: Category, site: admin.AdminSite, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.category = category
        for field in self.fields.values():
            if isinstance(field, forms.ModelChoiceField):
                many = isinstance(field, forms.ModelMultipleChoiceField)
                search = AutocompleteSelectMultiple if many else AutocompleteSelect
                # The book's field leaves out those that were given up.
                field.widget = search(Book._meta.get_field("category"), site)
                field.widget.choices = field.choices

    def wish(self) -> Wish:
        """Return what was asked for; the form must be valid."""
        raise NotImplementedError


class MergeForm(ChangeForm):
    into = forms.ModelChoiceField(label=_("into the category"), queryset=_OPEN)
    more = forms.ModelMultipleChoiceField(label=_("together with these"), queryset=_OPEN, required=False)

    def wish(self) -> Wish:
        more = sorted(category.pk for category in self.cleaned_data["more"])
        return Merge(sources=(self.category.pk, *more), into=self.cleaned_data["into"].pk)


class RetireForm(ChangeForm):
    books_to = forms.ChoiceField(
        label=_("its books go"), choices=BooksTo.choices, widget=UnfoldAdminSelectWidget
    )

    def wish(self) -> Wish:
        return Retire(category=self.category.pk, books_to=self.cleaned_data["books_to"])


class MoveForm(ChangeForm):
    parent = forms.ModelChoiceField(
        label=_("below the category"), queryset=_OPEN, required=False, help_text=_("Empty is the top.")
    )

    def wish(self) -> Wish:
        parent = self.cleaned_data["parent"]
        return Move(category=self.category.pk, parent=parent.pk if parent else None)


class SplitForm(ChangeForm):
    rule = forms.ChoiceField(label=_("which books go"), choices=Rule.choices, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, _CHILDREN + 1):
            for name, label, widget in (
                ("notation", _("notation of new category %d"), UnfoldAdminTextInputWidget),
                ("label_en", _("English label"), UnfoldAdminTextInputWidget),
                ("label_zh", _("Chinese label"), UnfoldAdminTextInputWidget),
                ("books", _("control numbers, one a line"), UnfoldAdminTextareaWidget),
                ("words", _("words, with commas between"), UnfoldAdminTextInputWidget),
            ):
                self.fields[f"{name}_{number}"] = forms.CharField(
                    label=label % number if name == "notation" else label,
                    required=False,
                    max_length=200 if name in ("notation", "label_en", "label_zh") else None,
                    widget=widget(attrs={"rows": 3} if name == "books" else {}),
                )

    def wish(self) -> Wish:
        given = self.cleaned_data
        children = []
        for number in range(1, _CHILDREN + 1):
            values = {name: given[f"{name}_{number}"] for name in ("notation", "label_en", "label_zh")}
            if any(given[f"{name}_{number}"] for name in (*values, "books", "words")):
                books = given[f"books_{number}"].splitlines()
                words = given[f"words_{number}"].replace("，", ",").split(",")
                children.append(
                    Child(
                        **values,
                        books=tuple(line.strip() for line in books if line.strip()),
                        words=tuple(word.strip() for word in words if word.strip()),
                    )
                )
        return Split(category=self.category.pk, children=tuple(children), rule=given["rule"])


FORMS: dict[Kind, type[ChangeForm]] = {
    Kind.MERGE: MergeForm,
    Kind.SPLIT: SplitForm,
    Kind.RETIRE: RetireForm,
    Kind.MOVE: MoveForm,
}
