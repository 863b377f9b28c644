"""Possible misfiles: the evidence, and buttons that move a book or confirm its category."""

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeNumericFilter
from unfold.decorators import display

from classifier.admin.base import FILE_BOOKS, ReadOnlyAdmin, post_button
from classifier.models import Misfiled
from classifier.presentation import evidence
from classifier.services.review.misfiled import dismiss, move
from library.admin_site.users import signed_in
from library.catalogue.admin.lookup import LookupAdmin
from library.catalogue.selectors.lookup import search_titles

DISMISS_MISFILED = "classifier.change_misfiled"


class StatusFilter(admin.SimpleListFilter):
    """Open rows by default; confirmed ones on request."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("To review")), ("confirmed", _("Confirmed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Misfiled]) -> QuerySet[Misfiled]:
        return queryset.filter(dismissed_at__isnull=self.value() != "confirmed")

    def choices(self, changelist: Any) -> Any:
        for value, label in self.lookup_choices:
            yield {
                "selected": (self.value() or "open") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }


@admin.register(Misfiled)
class MisfiledAdmin(LookupAdmin, ReadOnlyAdmin):
    list_display = [
        "title",
        "filed_label",
        "category_label",
        "evidence_link",
        "source",
        "move_button",
        "dismiss_button",
    ]
    list_display_links = None
    list_select_related = ["book", "filed", "category"]
    list_filter = [
        StatusFilter,
        "book__category_source",
        "book__language",
        ("filed", AutocompleteSelectFilter),
        ("category", AutocompleteSelectFilter),
        ("probability", RangeNumericFilter),
    ]
    list_filter_submit = True
    lookups = {"book": search_titles}
    fields = ["title", "filed_label", "category_label", "source", "evidence_html", "model_version",
              "found_at", "dismissed_at", "dismissed_by", "move_button", "dismiss_button"]  # fmt: skip
    column_permissions = {"move_button": FILE_BOOKS, "dismiss_button": DISMISS_MISFILED}

    def get_urls(self) -> list[Any]:
        return [
            self.post_path("dismiss", self.dismiss_view),
            self.post_path("move", self.move_view),
            *super().get_urls(),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Misfiled]:
        # A book that was refiled is no longer listed; the next batch deletes its row.
        rows = super().get_queryset(request).filter(filed=F("book__category"))
        return rows.select_related("book", "filed", "category")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # A row is deleted only with its book; otherwise the next batch would list it again.
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "show_delete": False}
        )

    @display(description=gettext_lazy("book"), ordering="book__title")
    def title(self, misfiled: Misfiled) -> SafeString:
        url = reverse("admin:catalogue_book_change", args=[misfiled.book_id])
        return format_html('<a href="{}" class="font-semibold">{}</a>', url, misfiled.book)

    @display(description=gettext_lazy("filed under"), ordering="filed")
    def filed_label(self, misfiled: Misfiled) -> str:
        return f"{misfiled.filed} ({misfiled.filed_probability:.0%})"

    @display(description=gettext_lazy("predicted category"), ordering="probability")
    def category_label(self, misfiled: Misfiled) -> str:
        return f"{misfiled.category} ({misfiled.probability:.0%})"

    @display(description=gettext_lazy("category source"), ordering="book__category_source")
    def source(self, misfiled: Misfiled) -> str:
        return misfiled.book.get_category_source_display()

    @display(description="")
    def evidence_link(self, misfiled: Misfiled) -> SafeString:
        url = reverse("admin:classifier_misfiled_change", args=[misfiled.pk])
        return format_html('<a href="{}">{}</a>', url, _("Why?"))

    @display(description=gettext_lazy("evidence"))
    def evidence_html(self, misfiled: Misfiled) -> SafeString:
        return evidence.as_html(misfiled)[0]

    @display(description="")
    def move_button(self, misfiled: Misfiled) -> SafeString | str:
        return _button(misfiled, "move", _("Move"))

    @display(description="", empty_value="-")
    def dismiss_button(self, misfiled: Misfiled) -> SafeString | str:
        return _button(misfiled, "dismiss", _("Keep as is"))

    def move_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def move_book() -> str:
            misfiled = _row(pk)
            book = move(misfiled=misfiled, reviewer=signed_in(request.user), now=timezone.now())
            self.log_change(
                request, book, f"Moved from {misfiled.filed} to {book.category}, as the model predicts."
            )
            return _("%(book)s was filed under %(category)s.") % {"book": book, "category": book.category}

        return self.perform(request, move_book, permission=FILE_BOOKS, redirect_to=_list_url())

    def dismiss_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def confirm_category() -> str:
            misfiled = _row(pk)
            dismiss(misfiled=misfiled, now=timezone.now(), user=signed_in(request.user))
            self.log_change(request, misfiled, "Category confirmed.")
            return _("%(book)s was confirmed under %(category)s and removed from this list.") % {
                "book": misfiled.book, "category": misfiled.filed,
            }  # fmt: skip

        return self.perform(request, confirm_category, permission=DISMISS_MISFILED, redirect_to=_list_url())


def _row(pk: int) -> Misfiled:
    return get_object_or_404(Misfiled.objects.select_related("book", "filed", "category"), pk=pk)


def _list_url() -> str:
    return reverse("admin:classifier_misfiled_changelist")


def _button(misfiled: Misfiled, action: str, label: str) -> SafeString | str:
    if misfiled.dismissed_at:
        return ""
    return post_button(reverse(f"admin:classifier_misfiled_{action}", args=[misfiled.pk]), label)
