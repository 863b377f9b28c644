"""Batches and their changes: accept some of the changes, or undo a whole batch."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeNumericFilter
from unfold.decorators import display

from classifier.admin.base import FILE_BOOKS, PermanentAdmin, ReadOnlyAdmin
from classifier.dispatch import request_undo
from classifier.models import Batch, Change, Run
from classifier.presentation.flow_diagram import flow_diagram
from classifier.services.classification.batches.acceptance import accept
from library.admin_site.users import signed_in
from library.catalogue.admin.lookup import LookupAdmin
from library.catalogue.selectors.lookup import search_titles
from library.errors import LibraryError

UNDO_BATCH = "classifier.change_batch"


def unchanged_counts(batch: Batch) -> list[tuple[Any, int]]:
    """Return why books were not restored when a batch was undone, and how many."""
    reasons = {
        "decided": _("manually filed later"),
        "classified_again": _("reclassified later"),
    }
    return [(reasons[reason], books) for reason, books in batch.unchanged.items() if books]


def change_counts(batch: Batch) -> list[tuple[Any, int]]:
    """Return the kinds of changes of a batch, and the number of books of each."""
    return [(kind.label, batch.changed[kind]) for kind in Change.Kind if batch.changed.get(kind)]


def changes_url(batch_id: int) -> str:
    """Return the URL of a batch's changes; the page also shows the batch itself."""
    return f"{reverse('admin:classifier_change_changelist')}?batch__id__exact={batch_id}"


@admin.register(Batch)
class BatchAdmin(PermanentAdmin):
    list_display = ["name", "state_label", "model_version", "created_at", "books", "changes"]
    list_display_links = None
    list_select_related = ["model_version"]
    list_filter = ["state"]
    search_fields = ["model_version__name"]
    date_hierarchy = "created_at"
    fields = ["name", "state_label", "model_version", "run", "created_at", "precision", "books", "changes",
              "undone_at", "undone_by", "not_restored"]  # fmt: skip
    readonly_fields = ["name", "state_label", "changes", "not_restored"]

    def get_urls(self) -> list[Any]:
        return [self.post_path("undo", self.undo_view), *super().get_urls()]

    @display(description=gettext_lazy("batch"), ordering="pk")
    def name(self, batch: Batch) -> SafeString:
        return format_html('<a href="{}" class="font-semibold">{}</a>', changes_url(batch.pk), batch)

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        label={
            "proposed": "info",
            "applied": "success",
            "partly": "success",
            "undoing": "warning",
            "undone": "warning",
        },
    )
    def state_label(self, batch: Batch) -> tuple[str, str]:
        return batch.state, batch.get_state_display()

    @display(description=gettext_lazy("changed"), empty_value="-")
    def changes(self, batch: Batch) -> str | None:
        return ", ".join(f"{kind}: {books}" for kind, books in change_counts(batch)) or None

    @display(description=gettext_lazy("not reverted"), empty_value="-")
    def not_restored(self, batch: Batch) -> str | None:
        return ", ".join(f"{reason}: {books}" for reason, books in unchanged_counts(batch)) or None

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.require_permission(request, UNDO_BATCH)
        batch = get_object_or_404(Batch, pk=pk)
        try:
            requested = request_undo(
                batch=batch, trigger=Run.Trigger.MANUAL, now=timezone.now(), user=signed_in(request.user)
            )
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(changes_url(pk))
        self.log_change(request, batch, "Undo requested.")
        self.message_user(request, requested.message, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:classifier_run_change", args=[requested.run.pk]))


@admin.register(Change)
class ChangeAdmin(LookupAdmin, ReadOnlyAdmin):
    list_display = ["title", "kind", "before_label", "after_label", "percent", "filed_under", "outcome"]
    list_display_links = None
    list_select_related = ["book__category", "from_category", "to_category", "batch"]
    list_filter = [
        "kind",
        "to_abstained",
        ("from_category", AutocompleteSelectFilter),
        ("to_category", AutocompleteSelectFilter),
        ("to_probability", RangeNumericFilter),
    ]
    list_filter_submit = True
    list_before_template = "classifier/batch.html"
    lookups = {"book": search_titles}
    actions = ["accept_selected"]
    fields = ["batch", "title", "kind", "before_label", "after_label", "percent", "filed_under",
              "outcome"]  # fmt: skip
    readonly_fields = ["title", "before_label", "after_label", "percent", "filed_under", "outcome"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        # Unchanged books have rows too, but only for undoing the batch.
        return super().get_queryset(request).exclude(kind=Change.Kind.SAME).defer("before")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # A change is deleted only with its book; otherwise the batch could not be undone as a whole.
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    def has_accept_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(FILE_BOOKS)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        batch_id = request.GET.get("batch__id__exact", "")
        context = dict(extra_context or {})
        if batch_id.isdecimal() and self.has_view_permission(request):
            batches = Batch.objects.select_related("model_version")
            if batch := batches.filter(pk=batch_id).first():
                context |= {
                    "title": str(batch),
                    "batch": batch,
                    "change_counts": change_counts(batch),
                    "unchanged_counts": unchanged_counts(batch),
                    "flow_diagram": flow_diagram(batch),
                    "can_undo": batch.state in (*Batch.IN_EFFECT, Batch.State.UNDOING)
                    and request.user.has_perm(UNDO_BATCH),
                }
        return super().changelist_view(request, context)

    @display(description=gettext_lazy("book"), ordering="book__title")
    def title(self, change: Change) -> SafeString:
        url = reverse("admin:catalogue_book_change", args=[change.book_id])
        return format_html('<a href="{}" class="font-semibold">{}</a>', url, change.book)

    @display(description=gettext_lazy("before"), ordering="from_category", empty_value="-")
    def before_label(self, change: Change) -> str | None:
        return suggestion_text(change.from_category, change.from_probability, change.from_abstained)

    @display(description=gettext_lazy("after"), ordering="to_category", empty_value="-")
    def after_label(self, change: Change) -> str | None:
        return suggestion_text(change.to_category, change.to_probability, change.to_abstained)

    @display(description=gettext_lazy("probability"), ordering="to_probability", empty_value="-")
    def percent(self, change: Change) -> str | None:
        return None if change.to_probability is None else f"{change.to_probability:.0%}"

    @display(description=gettext_lazy("filed under"), ordering="book__category", empty_value="-")
    def filed_under(self, change: Change) -> str | None:
        book = change.book
        return f"{book.category} ({book.get_category_source_display()})" if book.category else None

    @display(description=gettext_lazy("outcome"), empty_value="-")
    def outcome(self, change: Change) -> str | None:
        if change.undone:
            return _("reverted")
        if change.superseded:
            return _("reclassified later")
        return _("accepted") if change.accepted_at else None

    @admin.action(permissions=["accept"], description=gettext_lazy("File selected books as suggested"))
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[Change]) -> None:
        selected: dict[int, list[int]] = {}
        for change_id, batch_id in queryset.values_list("pk", "batch"):
            selected.setdefault(batch_id, []).append(change_id)
        for batch in Batch.objects.filter(pk__in=selected):
            self._accept(request, batch, selected[batch.pk])

    def _accept(self, request: HttpRequest, batch: Batch, change_ids: list[int]) -> None:
        try:
            result = accept(
                batch=batch, change_ids=change_ids, now=timezone.now(), user=signed_in(request.user)
            )
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
            return
        self.log_change(request, batch, f"Accepted {result.filed} changes.")
        text = ngettext("%d book filed.", "%d books filed.", result.filed)
        self.message_user(request, text % result.filed, messages.SUCCESS)
        if result.decided:
            text = ngettext(
                "%d book skipped: already filed by a person or an import.",
                "%d books skipped: already filed by a person or an import.",
                result.decided,
            )
            self.message_user(request, text % result.decided, messages.WARNING)
        if result.unsure:
            text = ngettext(
                "%d book skipped: no suggestion, or already reviewed.",
                "%d books skipped: no suggestion, or already reviewed.",
                result.unsure,
            )
            self.message_user(request, text % result.unsure, messages.WARNING)


def suggestion_text(category: Any, probability: float | None, abstained: bool | None) -> str | None:
    """Return a first suggestion as text; None if there is none."""
    if probability is None:
        return None
    text = f"{category or _('deleted category')} ({probability:.0%})"
    return f"{text}, {_('Low confidence')}" if abstained else text
