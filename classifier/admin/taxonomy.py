"""Merging, splitting, retiring and moving categories: what it would do is shown before it is done.

The category's page is the catalogue's, which knows nothing of suggestions; so its admin class is extended
here and registered again, as Django's documentation does with ``UserAdmin``.
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
from django.views.decorators.http import require_POST
from unfold.decorators import display

from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.admin.taxonomy_forms import FORMS
from classifier.services.taxonomy.changes import apply, undo
from classifier.services.taxonomy.preview import preview
from library.admin_site.users import signed_in
from library.catalogue.admin import CategoryAdmin
from library.catalogue.models import Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import Wish, as_parameters
from library.errors import LibraryError

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
        offered = obj and obj.retired_at is None and self.has_change_permission(request)
        return [name for name in self.fields if name != "change_links" or offered]

    @display(description=gettext_lazy("taxonomy"))
    def change_links(self, category: Category) -> SafeString:
        links = (
            (reverse(f"admin:catalogue_category_{kind.value}", args=[category.pk]), words)
            for kind, words in _TITLES.items()
        )
        return format_html_join(" ", '<a class="row-button" href="{}">{}</a>', links)

    def _view(self, kind: Kind) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            return self.taxonomy_view(request, kind, pk)

        return view

    def taxonomy_view(self, request: HttpRequest, kind: Kind, pk: int) -> HttpResponse:
        """Show the form; a POST shows what the change would do, and one that has seen that makes it."""
        if not (self.has_view_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied
        category = get_object_or_404(Category, pk=pk)
        form = FORMS[kind](request.POST or None, category=category, site=self.admin_site)
        found, seen = None, ""
        if request.method == "POST" and form.is_valid():
            wish, now = form.wish(), timezone.now()
            seen = _digest(wish)
            try:
                if request.POST.get("do") == "apply" and request.POST.get("seen") == seen:
                    change = apply(wish=wish, now=now, user=signed_in(request.user))
                    return self._made(request, change)
                found = preview(wish=wish, now=now)
            except LibraryError as error:
                form.add_error(None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{_TITLES[kind]} {category}",
            "opts": self.opts,
            "kind": kind.value,
            "form": form,
            "media": form.media,
            "found": found,
            "bars": _bars(found) if found else [],
            "seen": seen,
        }
        return render(request, "classifier/taxonomy.html", context)

    def _made(self, request: HttpRequest, change: TaxonomyChange) -> HttpResponse:
        text = ngettext("%d book moved.", "%d books moved.", change.books)
        self.log_change(request, change.category, f"{change} ({change.kind}).")
        self.message_user(request, text % change.books, messages.SUCCESS)
        if change.undecided:
            text = ngettext(
                "%d book was left where it is: look at it.",
                "%d books were left where they are: look at them.",
                change.undecided,
            )
            self.message_user(request, text % change.undecided, messages.WARNING)
        return HttpResponseRedirect(reverse("admin:catalogue_taxonomychange_changelist"))


@admin.register(TaxonomyChange)
class TaxonomyChangeAdmin(ReadOnlyAdmin):
    list_display = ["made_at", "kind", "what", "books", "left", "made_by", "state", "undo_button"]
    list_display_links = ["made_at"]
    list_select_related = ["category", "made_by", "undone_by"]
    list_filter = ["kind", ("undone_at", admin.EmptyFieldListFilter)]
    date_hierarchy = "made_at"
    search_fields = ["words"]
    fields = ["kind", "what", "books", "left", "parameters", "made_at", "made_by", "undone_at", "undone_by",
              "kept", "undo_button"]  # fmt: skip
    readonly_fields = ["what", "left", "state", "undo_button"]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.undo_view))
        return [path("<int:pk>/undo/", view, name="catalogue_taxonomychange_undo"), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_undo(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalogue.change_category")

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return [name for name in self.list_display if name != "undo_button" or self.may_undo(request)]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields if name != "undo_button" or self.may_undo(request)]

    @display(description=gettext_lazy("what was done"), ordering="category")
    def what(self, change: TaxonomyChange) -> SafeString:
        url = reverse("admin:catalogue_category_change", args=[change.category_id])
        words = change.words or change.category
        return format_html('<a href="{}" class="font-semibold">{}</a>', url, words)

    @display(description=gettext_lazy("left for review"), ordering="undecided", empty_value="-")
    def left(self, change: TaxonomyChange) -> SafeString | None:
        if not change.undecided:
            return None
        url = reverse("admin:catalogue_book_changelist")
        return format_html(
            '<a href="{}?category__id__exact={}">{}</a>', url, change.category_id, change.undecided
        )

    @display(description=gettext_lazy("state"), label={"made": "success", "undone": "warning"})
    def state(self, change: TaxonomyChange) -> tuple[str, str]:
        return ("undone", _("undone")) if change.undone_at else ("made", _("in effect"))

    @display(description="")
    def undo_button(self, change: TaxonomyChange) -> SafeString | str:
        if change.undone_at:
            return ""
        # Of the page's own form, which is a POST with a CSRF token.
        return format_html(
            '<button type="submit" class="row-button" formaction="{}" formnovalidate>{}</button>',
            reverse("admin:catalogue_taxonomychange_undo", args=[change.pk]),
            _("Undo"),
        )

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not (self.has_view_permission(request) and self.may_undo(request)):
            raise PermissionDenied
        change = get_object_or_404(TaxonomyChange, pk=pk)
        try:
            change = undo(change=change, now=timezone.now(), user=signed_in(request.user))
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.log_change(request, change, "Undone.")
            self.message_user(request, _("%s is undone.") % change, messages.SUCCESS)
            if change.kept:
                text = ngettext(
                    "%d book stayed: filed otherwise since.",
                    "%d books stayed: filed otherwise since.",
                    change.kept,
                )
                self.message_user(request, text % change.kept, messages.WARNING)
        return HttpResponseRedirect(reverse("admin:catalogue_taxonomychange_changelist"))


def _digest(wish: Wish) -> str:
    """Return what says that the change asked for is the one that was shown."""
    return sha256(json.dumps(as_parameters(wish), sort_keys=True).encode()).hexdigest()


def _bars(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return shares before and after, as the page draws them; what is not known has no bar."""
    judged = found["accuracy"]
    if not judged:
        return []
    now, then, about = judged["now"], judged["then"], judged["about"]
    rows = [
        (_("all held-out books"), now["books"], now["accuracy"], then["accuracy"]),
        (_("macro-F1 over categories"), now["books"], now["macro_f1"], then["macro_f1"]),
        (_("books of these categories"), about["books"], about["now"], about["then"]),
    ]
    return [
        {
            "name": f"{name} ({books})",
            "now": before,
            "then": after or 0,
            "words": f"{before:.1%} → {f'{after:.1%}' if after is not None else _('not known')}",
        }
        for name, books, before, after in rows
        if before is not None
    ]


admin.site.unregister(Category)
admin.site.register(Category, CategoryWithChangesAdmin)
