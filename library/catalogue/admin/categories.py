"""Admin pages of categories."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from library.admin_site.import_page import ImportAdmin
from library.catalogue.admin.importing import CATEGORIES
from library.catalogue.models import Category


@admin.register(Category)
class CategoryAdmin(ImportAdmin):
    list_display = ["notation", "label_en", "label_zh", "parent", "scheme", "number_of_books", "retired"]
    list_select_related = ["parent", "replaced_by"]
    list_filter = ["scheme", ("retired_at", admin.EmptyFieldListFilter)]
    ordering = ["scheme", "notation"]  # repeated here: the annotation would discard the model's ordering
    list_per_page = 50
    search_fields = ["notation", "label_en", "label_zh"]
    autocomplete_fields = ["parent"]
    fields = ["scheme", "notation", "label_en", "label_zh", "parent", "retired"]
    readonly_fields = ["retired"]
    imports = CATEGORIES

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(number_of_books=Count("books"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # Only taxonomy changes move categories: they refuse circles and can be undone.
        return [*super().get_readonly_fields(request, obj), *(["parent"] if obj else [])]

    @display(description=_("retired at"), ordering="retired_at", empty_value="-")
    def retired(self, category: Category) -> str | None:
        if category.retired_at is None:
            return None
        day = f"{category.retired_at:%Y-%m-%d}"
        return f"{day} → {category.replaced_by}" if category.replaced_by else day

    @display(description=_("books"), ordering="number_of_books")
    def number_of_books(self, category: Any) -> int:
        return category.number_of_books
