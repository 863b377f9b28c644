"""Category changes: forms on the category's page with a preview, and the list of changes.

The catalogue does not know suggestions, which a change affects. Its admin class of categories is therefore
extended here and registered again, as Django's documentation does with ``UserAdmin``.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from classifier.admin.base import PermanentAdmin, post_button
from classifier.admin.taxonomy.forms import FORMS
from classifier.services.taxonomy.changes import apply, undo
from classifier.services.taxonomy.preview import preview
from library.admin_site.users import signed_in
from library.catalogue.admin import CategoryAdmin
from library.catalogue.models import Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import TaxonomyChangeRequest, as_parameters
from library.errors import LibraryError

CHANGE_CATEGORY = "catalogue.change_category"
Kind = TaxonomyChange.Kind
_TITLES = {
    Kind.MERGE: gettext_lazy("Merge…"),
    Kind.SPLIT: gettext_lazy("Split…"),
    Kind.RETIRE: gettext_lazy("Retire…"),
    Kind.MOVE: gettext_lazy("Move…"),
}


class CategoryWithChangesAdmin(CategoryAdmin):
    fields = [*CategoryAdmin.fields, "change_links"]
    readonly_fields = [*CategoryAdmin.readonly_fields, "change_links"]

    def get_urls(self) -> list[Any]:
        return [
            path(
                f"<int:pk>/{kind.value}/",
                self.admin_site.admin_view(self._view(kind)),
                name=f"catalogue_category_{kind.value}",
            )
            for kind in Kind
        ] + super().get_urls()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        can_change = obj and obj.retired_at is None and self.has_change_permission(request)
        return [name for name in self.fields if name != "change_links" or can_change]

    @display(description=gettext_lazy("change category"))
    def change_links(self, category: Category) -> SafeString:
        links = (
            (reverse(f"admin:catalogue_category_{kind.value}", args=[category.pk]), title)
            for kind, title in _TITLES.items()
        )
        return format_html_join(" ", '<a class="row-button" href="{}">{}</a>', links)

    def _view(self, kind: Kind) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            return self.taxonomy_view(request, kind, pk)

        return view

    def taxonomy_view(self, request: HttpRequest, kind: Kind, pk: int) -> HttpResponse:
        """Show the form; a POST shows a preview, and applies the change if that preview was shown before."""
        if not (self.has_view_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied
        category = get_object_or_404(Category, pk=pk)
        form = FORMS[kind](request.POST or None, category=category, site=self.admin_site)
        change_preview, digest = None, ""
        if request.method == "POST" and form.is_valid():
            change_request, now = form.change_request(), timezone.now()
            digest = _digest(change_request)
            try:
                if request.POST.get("action") == "apply" and request.POST.get("previewed") == digest:
                    change = apply(change_request=change_request, now=now, user=signed_in(request.user))
                    return self._applied(request, change)
                change_preview = preview(change_request=change_request, now=now)
            except LibraryError as error:
                form.add_error(None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{_TITLES[kind]} {category}",
            "opts": self.opts,
            "kind": kind.value,
            "form": form,
            "media": form.media,
            "preview": change_preview,
            "accuracy_bars": _accuracy_bars(change_preview) if change_preview else [],
            "digest": digest,
        }
        return render(request, "classifier/taxonomy.html", context)

    def _applied(self, request: HttpRequest, change: TaxonomyChange) -> HttpResponse:
        text = ngettext("%d book moved.", "%d books moved.", change.books)
        self.log_change(request, change.category, f"{change} ({change.kind}).")
        self.message_user(request, text % change.books, messages.SUCCESS)
        if change.undecided:
            text = ngettext(
                "%d book was not moved. Review it.",
                "%d books were not moved. Review them.",
                change.undecided,
            )
            self.message_user(request, text % change.undecided, messages.WARNING)
        return HttpResponseRedirect(reverse("admin:catalogue_taxonomychange_changelist"))


@admin.register(TaxonomyChange)
class TaxonomyChangeAdmin(PermanentAdmin):
    list_display = ["created_at", "kind", "summary_link", "books", "undecided_link", "created_by", "state",
                    "undo_button"]  # fmt: skip
    list_display_links = ["created_at"]
    list_select_related = ["category", "created_by", "undone_by"]
    list_filter = ["kind", ("undone_at", admin.EmptyFieldListFilter)]
    date_hierarchy = "created_at"
    search_fields = ["summary"]
    fields = ["kind", "summary_link", "books", "undecided_link", "parameters", "created_at", "created_by",
              "undone_at", "undone_by", "kept", "undo_button"]  # fmt: skip
    readonly_fields = ["summary_link", "undecided_link", "state", "undo_button"]
    column_permissions = {"undo_button": CHANGE_CATEGORY}

    def get_urls(self) -> list[Any]:
        return [self.post_path("undo", self.undo_view), *super().get_urls()]

    @display(description=gettext_lazy("change details"), ordering="category")
    def summary_link(self, change: TaxonomyChange) -> SafeString:
        url = reverse("admin:catalogue_category_change", args=[change.category_id])
        return format_html(
            '<a href="{}" class="font-semibold">{}</a>', url, change.summary or change.category
        )

    @display(description=gettext_lazy("to review"), ordering="undecided", empty_value="-")
    def undecided_link(self, change: TaxonomyChange) -> SafeString | None:
        if not change.undecided:
            return None
        url = reverse("admin:catalogue_book_changelist")
        return format_html(
            '<a href="{}?category__id__exact={}">{}</a>', url, change.category_id, change.undecided
        )

    @display(description=gettext_lazy("state"), label={"applied": "success", "undone": "warning"})
    def state(self, change: TaxonomyChange) -> tuple[str, str]:
        return ("undone", _("undone")) if change.undone_at else ("applied", _("in effect"))

    @display(description="")
    def undo_button(self, change: TaxonomyChange) -> SafeString | str:
        if change.undone_at:
            return ""
        return post_button(reverse("admin:catalogue_taxonomychange_undo", args=[change.pk]), _("Undo"))

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def undo_change() -> str:
            change = undo(
                change=get_object_or_404(TaxonomyChange, pk=pk),
                now=timezone.now(),
                user=signed_in(request.user),
            )
            self.log_change(request, change, "Undone.")
            if change.kept:
                text = ngettext(
                    "%d book was not moved back: it has been refiled since.",
                    "%d books were not moved back: they have been refiled since.",
                    change.kept,
                )
                self.message_user(request, text % change.kept, messages.WARNING)
            return _("%s was undone.") % change

        list_url = reverse("admin:catalogue_taxonomychange_changelist")
        return self.perform(request, undo_change, permission=CHANGE_CATEGORY, redirect_to=list_url)


def _digest(change_request: TaxonomyChangeRequest) -> str:
    """Return a digest by which a previewed change is recognised."""
    return sha256(json.dumps(as_parameters(change_request), sort_keys=True).encode()).hexdigest()


def _accuracy_bars(change_preview: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the accuracy before and after the change; rows without a value before are omitted."""
    accuracy = change_preview["accuracy"]
    if not accuracy:
        return []
    now, then, about = accuracy["now"], accuracy["then"], accuracy["about"]
    rows = [
        (_("all test books"), now["books"], now["accuracy"], then["accuracy"]),
        (_("macro-F1 across categories"), now["books"], now["macro_f1"], then["macro_f1"]),
        (_("test books in these categories"), about["books"], about["now"], about["then"]),
    ]
    return [
        {
            "name": f"{name} ({books})",
            "before": before,
            "after": after or 0,
            "label": f"{before:.1%} → " + (_("not available") if after is None else f"{after:.1%}"),
        }
        for name, books, before, after in rows
        if before is not None
    ]


admin.site.unregister(Category)
admin.site.register(Category, CategoryWithChangesAdmin)
