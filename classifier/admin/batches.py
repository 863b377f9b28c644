"""Batches: what each changed, from what to what and how sure; accepted in part, undone as a whole."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeNumericFilter
from unfold.decorators import display

from classifier.admin.suggestions import ReadOnlyAdmin, may_file_books
from classifier.dispatch import ask_to_undo
from classifier.models import Change, Reclassification, Run
from classifier.presentation import flow_diagram
from classifier.services.classification.batches import accept
from library.admin_site.users import signed_in
from library.catalogue.admin.lookup import FindingAdmin
from library.catalogue.selectors.lookup import titles_called
from library.errors import LibraryError


def stayed(batch: Reclassification) -> list[tuple[Any, int]]:
    """Return in words what stayed when a batch was undone."""
    words = {
        "decided": _("filed by a person since"),
        "classified_again": _("classified again since"),
    }
    return [(words[reason], books) for reason, books in batch.kept.items() if books]


def counts(batch: Reclassification) -> list[tuple[Any, int]]:
    """Return in words what a batch changed."""
    return [(kind.label, batch.changed[kind]) for kind in Change.Kind if batch.changed.get(kind)]


@admin.register(Reclassification)
class ReclassificationAdmin(ReadOnlyAdmin):
    list_display = ["name", "state_label", "model_version", "made_at", "books", "changes"]
    list_display_links = None
    list_select_related = ["model_version"]
    list_filter = ["state"]
    search_fields = ["model_version__name"]
    date_hierarchy = "made_at"
    fields = ["name", "state_label", "model_version", "run", "made_at", "precision", "books", "changes",
              "undone_at", "undone_by", "what_stayed"]  # fmt: skip
    readonly_fields = ["name", "state_label", "changes", "what_stayed"]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.undo_view))
        return [path("<int:pk>/undo/", view, name="classifier_reclassification_undo"), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_undo(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.change_reclassification")

    @display(description=gettext_lazy("reclassification"), ordering="pk")
    def name(self, batch: Reclassification) -> SafeString:
        return format_html('<a href="{}" class="font-semibold">{}</a>', page_of(batch.pk), batch)

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
    def state_label(self, batch: Reclassification) -> tuple[str, str]:
        return batch.state, batch.get_state_display()

    @display(description=gettext_lazy("changed"), empty_value="-")
    def changes(self, batch: Reclassification) -> str | None:
        return ", ".join(f"{words}: {books}" for words, books in counts(batch)) or None

    @display(description=gettext_lazy("stayed as they were"), empty_value="-")
    def what_stayed(self, batch: Reclassification) -> str | None:
        return ", ".join(f"{words}: {books}" for words, books in stayed(batch)) or None

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not (self.has_view_permission(request) and self.may_undo(request)):
            raise PermissionDenied
        batch = get_object_or_404(Reclassification, pk=pk)
        try:
            asked = ask_to_undo(
                batch=batch,
                trigger=Run.Trigger.MANUAL,
                now=timezone.now(),
                user=signed_in(request.user),
            )
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(page_of(pk))
        self.log_change(request, batch, "Asked for it to be undone.")
        self.message_user(request, asked.sentence, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:classifier_run_change", args=[asked.run.pk]))


def page_of(batch_id: int) -> str:
    """Return the address of a batch's page: its changes, with what they are about above them."""
    return f"{reverse('admin:classifier_change_changelist')}?reclassification__id__exact={batch_id}"


@admin.register(Change)
class ChangeAdmin(FindingAdmin, ReadOnlyAdmin):
    list_display = ["title", "kind", "before_label", "after_label", "percent", "filed_under", "outcome"]
    list_display_links = None
    list_select_related = ["book__category", "from_category", "to_category", "reclassification"]
    list_filter = [
        "kind",
        "to_abstained",
        ("from_category", AutocompleteSelectFilter),
        ("to_category", AutocompleteSelectFilter),
        ("to_probability", RangeNumericFilter),
    ]
    list_filter_submit = True
    list_before_template = "classifier/batch.html"
    found_by = {"book": titles_called}
    actions = ["accept_selected"]
    fields = ["reclassification", "title", "kind", "before_label", "after_label", "percent", "filed_under",
              "outcome"]  # fmt: skip
    readonly_fields = ["title", "before_label", "after_label", "percent", "filed_under", "outcome"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Change]:
        # What was classified again and stayed as it was is kept for the undoing alone.
        return super().get_queryset(request).exclude(kind=Change.Kind.SAME).defer("before")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Changes go with their book alone: without them a batch could not be undone as a whole.
        return {name: it for name, it in super().get_actions(request).items() if name != "delete_selected"}

    def has_accept_permission(self, request: HttpRequest) -> bool:
        return may_file_books(request)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        asked = request.GET.get("reclassification__id__exact", "")
        extra = dict(extra_context or {})
        if asked.isdecimal() and self.has_view_permission(request):
            batches = Reclassification.objects.select_related("model_version")
            if batch := batches.filter(pk=asked).first():
                extra |= {
                    "title": str(batch),
                    "batch": batch,
                    "counts": counts(batch),
                    "stayed": stayed(batch),
                    "flows": flow_diagram.as_svg(batch),
                    "may_undo": batch.state in (*Reclassification.IN_EFFECT, Reclassification.State.UNDOING)
                    and request.user.has_perm("classifier.change_reclassification"),
                }
        return super().changelist_view(request, extra)

    @display(description=gettext_lazy("book"), ordering="book__title")
    def title(self, change: Change) -> SafeString:
        url = reverse("admin:catalogue_book_change", args=[change.book_id])
        return format_html('<a href="{}" class="font-semibold">{}</a>', url, change.book)

    @display(description=gettext_lazy("before"), ordering="from_category", empty_value="-")
    def before_label(self, change: Change) -> str | None:
        return answer(change.from_category, change.from_probability, change.from_abstained)

    @display(description=gettext_lazy("after"), ordering="to_category", empty_value="-")
    def after_label(self, change: Change) -> str | None:
        return answer(change.to_category, change.to_probability, change.to_abstained)

    @display(description=gettext_lazy("probability"), ordering="to_probability", empty_value="-")
    def percent(self, change: Change) -> str | None:
        return None if change.to_probability is None else f"{change.to_probability:.0%}"

    @display(description=gettext_lazy("filed under"), ordering="book__category", empty_value="-")
    def filed_under(self, change: Change) -> str | None:
        book = change.book
        return f"{book.category} ({book.get_category_source_display()})" if book.category else None

    @display(description=gettext_lazy("outcome"), empty_value="-")
    def outcome(self, change: Change) -> str | None:
        if change.taken_back:
            return _("taken back")
        if change.superseded:
            return _("classified again since")
        return _("accepted") if change.accepted_at else None

    @admin.action(
        permissions=["accept"], description=gettext_lazy("File the selected books under what is suggested")
    )
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[Change]) -> None:
        chosen: dict[int, list[int]] = {}
        for change_id, batch_id in queryset.values_list("pk", "reclassification"):
            chosen.setdefault(batch_id, []).append(change_id)
        for batch in Reclassification.objects.filter(pk__in=chosen):
            try:
                done = accept(
                    batch=batch,
                    change_ids=chosen[batch.pk],
                    now=timezone.now(),
                    user=signed_in(request.user),
                )
            except LibraryError as error:
                self.message_user(request, error.message, messages.ERROR)
                continue
            self.log_change(request, batch, f"Accepted {done.filed} changes.")
            text = ngettext("%d book filed.", "%d books filed.", done.filed)
            self.message_user(request, text % done.filed, messages.SUCCESS)
            if done.decided:
                text = ngettext(
                    "%d book left out: a person or an import has filed it.",
                    "%d books left out: a person or an import has filed them.",
                    done.decided,
                )
                self.message_user(request, text % done.decided, messages.WARNING)
            if done.unsure:
                text = ngettext(
                    "%d book left out: for it there is no suggestion, or it is settled.",
                    "%d books left out: for them there is no suggestion, or they are settled.",
                    done.unsure,
                )
                self.message_user(request, text % done.unsure, messages.WARNING)


def answer(category: Any, probability: float | None, abstained: bool | None) -> str | None:
    """Return a first suggestion in words, None if there was none."""
    if probability is None:
        return None
    words = f"{category or _('deleted category')} ({probability:.0%})"
    return f"{words}, {_('guess')}" if abstained else words
