"""Books that are possibly misfiled: why, and what a librarian says to it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeNumericFilter
from unfold.decorators import display

from classifier.admin.suggestions import ReadOnlyAdmin, may_file_books
from classifier.models import Misfiled
from classifier.presentation import evidence
from classifier.services.review.misfiled import dismiss, move
from library.admin_site.users import signed_in
from library.catalogue.admin.lookup import FindingAdmin
from library.catalogue.selectors.lookup import titles_called
from library.errors import LibraryError


class SettledFilter(admin.SimpleListFilter):
    """What was said to be right is asked for on purpose only."""

    title = gettext_lazy("answer")
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("to be looked at")), ("right", _("said to be right"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Misfiled]) -> QuerySet[Misfiled]:
        return queryset.filter(dismissed_at__isnull=self.value() != "right")

    def choices(self, changelist: Any) -> Any:
        for value, words in self.lookup_choices:
            yield {
                "selected": (self.value() or "open") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": words,
            }


@admin.register(Misfiled)
class MisfiledAdmin(FindingAdmin, ReadOnlyAdmin):
    list_display = [
        "title",
        "filed_label",
        "category_label",
        "why",
        "source",
        "move_button",
        "dismiss_button",
    ]
    list_display_links = None
    list_select_related = ["book", "filed", "category"]
    list_filter = [
        SettledFilter,
        "book__category_source",
        "book__language",
        ("filed", AutocompleteSelectFilter),
        ("category", AutocompleteSelectFilter),
        ("probability", RangeNumericFilter),
    ]
    list_filter_submit = True
    found_by = {"book": titles_called}
    fields = ["title", "filed_label", "category_label", "source", "reasons", "model_version", "found_at",
              "dismissed_at", "dismissed_by", "move_button", "dismiss_button"]  # fmt: skip

    def get_urls(self) -> list[Any]:
        views = {"dismiss": self.dismiss_view, "move": self.move_view}
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"classifier_misfiled_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self._offered(request, self.fields)

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return self._offered(request, self.list_display)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Misfiled]:
        # Filed otherwise since, it is settled, and the next reclassification takes it off.
        found = super().get_queryset(request).filter(filed=F("book__category"))
        return found.select_related("book", "filed", "category")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Deleted, it would be listed again; they go with their books alone.
        return {name: it for name, it in super().get_actions(request).items() if name != "delete_selected"}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {**(extra_context or {}), "show_delete": False}
        return super().change_view(request, object_id, form_url, extra)

    def may_dismiss(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.change_misfiled")

    @display(description=gettext_lazy("book"), ordering="book__title")
    def title(self, misfiled: Misfiled) -> SafeString:
        url = reverse("admin:catalogue_book_change", args=[misfiled.book_id])
        return format_html('<a href="{}" class="font-semibold">{}</a>', url, misfiled.book)

    @display(description=gettext_lazy("filed under"), ordering="filed")
    def filed_label(self, misfiled: Misfiled) -> str:
        return f"{misfiled.filed} ({misfiled.filed_probability:.0%})"

    @display(description=gettext_lazy("model says"), ordering="probability")
    def category_label(self, misfiled: Misfiled) -> str:
        return f"{misfiled.category} ({misfiled.probability:.0%})"

    @display(description=gettext_lazy("category source"), ordering="book__category_source")
    def source(self, misfiled: Misfiled) -> str:
        return misfiled.book.get_category_source_display()

    @display(description="")
    def why(self, misfiled: Misfiled) -> SafeString:
        url = reverse("admin:classifier_misfiled_change", args=[misfiled.pk])
        return format_html('<a href="{}">{}</a>', url, _("Why?"))

    @display(description=gettext_lazy("evidence"))
    def reasons(self, misfiled: Misfiled) -> SafeString:
        return evidence.as_html(misfiled)

    @display(description="")
    def move_button(self, misfiled: Misfiled) -> SafeString | str:
        return button(misfiled, "move", _("Move there"))

    @display(description="", empty_value="-")
    def dismiss_button(self, misfiled: Misfiled) -> SafeString | str:
        return button(misfiled, "dismiss", _("It is right"))

    def move_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def act(misfiled: Misfiled) -> str:
            book = move(misfiled=misfiled, reviewer=signed_in(request.user), now=timezone.now())
            self.log_change(
                request, book, f"Moved from {misfiled.filed} to {book.category}, as the model says."
            )
            return _("%(book)s is filed under %(category)s.") % {"book": book, "category": book.category}

        return self._settle(request, pk, may=may_file_books(request), act=act)

    def dismiss_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def act(misfiled: Misfiled) -> str:
            dismiss(misfiled=misfiled, now=timezone.now(), user=signed_in(request.user))
            self.log_change(request, misfiled, "Said to be right.")
            return _("%(book)s stays under %(category)s and is listed no more.") % {
                "book": misfiled.book, "category": misfiled.filed,
            }  # fmt: skip

        return self._settle(request, pk, may=self.may_dismiss(request), act=act)

    def _settle(
        self, request: HttpRequest, pk: int, *, may: bool, act: Callable[[Misfiled], str]
    ) -> HttpResponse:
        if not (self.has_view_permission(request) and may):
            raise PermissionDenied
        misfiled = get_object_or_404(Misfiled.objects.select_related("book", "filed", "category"), pk=pk)
        try:
            self.message_user(request, act(misfiled), messages.SUCCESS)
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:classifier_misfiled_changelist"))

    def _offered(self, request: HttpRequest, names: Any) -> list[str]:
        buttons = {"move_button": may_file_books(request), "dismiss_button": self.may_dismiss(request)}
        return [name for name in names if buttons.get(name, True)]


def button(misfiled: Misfiled, what: str, words: str) -> SafeString | str:
    """Return a button of the page's own form, which is a POST with a CSRF token, that sends it elsewhere."""
    if misfiled.dismissed_at:
        return ""
    url = reverse(f"admin:classifier_misfiled_{what}", args=[misfiled.pk])
    return format_html(
        '<button type="submit" class="row-button" formaction="{}" formnovalidate>{}</button>', url, words
    )
