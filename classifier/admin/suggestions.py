"""Suggestions: their own list, and an inline on the book's page.

The catalogue does not know suggestions. Its admin class of books is therefore extended here and registered
again, as Django's documentation does with ``UserAdmin``.
"""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeNumericFilter
from unfold.decorators import display

from classifier.admin.base import FILE_BOOKS, ReadOnlyAdmin, post_button
from classifier.admin.listings import highlights_page
from classifier.models import Suggestion
from classifier.presentation import evidence
from classifier.services.review.verdicts import SuggestionReplacedError, accept_suggestion
from library.admin_site.users import signed_in
from library.catalogue.admin import BookAdmin
from library.catalogue.admin.lookup import LookupAdmin
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import search_titles
from library.errors import LibraryError


def accept(model_admin: admin.ModelAdmin, request: HttpRequest, suggestion: Suggestion) -> bool:
    """Accept a suggestion and log it in the book's history, or show why it was refused."""
    try:
        book = accept_suggestion(
            suggestion=suggestion,
            reviewer=signed_in(request.user),
            now=timezone.now(),
        )
    except LibraryError as error:
        model_admin.message_user(request, error.message, messages.ERROR)
        return False
    model_admin.log_change(request, book, f"Accepted the suggestion {book.category}.")
    return True


class SuggestionColumns:
    """Columns of a suggestion in its list and beside its book."""

    @display(description=gettext_lazy("probability"), ordering="probability")
    def percent(self, suggestion: Suggestion) -> str:
        return f"{suggestion.probability:.0%}"

    @display(description=gettext_lazy("status"), ordering="abstained")
    def status(self, suggestion: Suggestion) -> str:
        return _("Low confidence") if suggestion.abstained else _("suggestion")

    @display(description="")
    def evidence_link(self, suggestion: Suggestion) -> SafeString:
        url = reverse("admin:classifier_suggestion_change", args=[suggestion.pk])
        return format_html('<a href="{}">{}</a>', url, _("Why?"))

    def accept_control(self, suggestion: Suggestion) -> SafeString:
        """Return the button that accepts the suggestion."""
        raise NotImplementedError

    @display(description="")
    def accept_button(self, suggestion: Suggestion) -> SafeString | str:
        book = suggestion.book
        if (
            book.category_source == book.CategorySource.LIBRARIAN
            and book.category_id == suggestion.category_id
        ):
            return _("accepted")
        return self.accept_control(suggestion)


class SuggestionInline(SuggestionColumns, TabularInline):
    """Suggestions beside their book; "Accept" saves the page and files the book in one step."""

    model = Suggestion
    extra = 0
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Suggestion]:
        return super().get_queryset(request).select_related("book", "category", "model_version")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = ["rank", "category", "percent", "status", "model_version", "evidence_link"]
        return [*fields, "accept_button"] if request.user.has_perm(FILE_BOOKS) else fields

    get_readonly_fields = get_fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def accept_control(self, suggestion: Suggestion) -> SafeString:
        # It submits the book's form, so that other edits on the page are saved too.
        return format_html(
            '<button type="submit" class="row-button" name="_accept" value="{}">{}</button>',
            suggestion.pk,
            _("Accept"),
        )


class BookWithSuggestionsAdmin(BookAdmin):
    inlines = [SuggestionInline, *BookAdmin.inlines]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.highlights_view)
        return [path("lists/", view, name="catalogue_book_lists"), *super().get_urls()]

    def highlights_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return highlights_page(self, request)

    def response_change(self, request: HttpRequest, obj: Book) -> HttpResponse:
        if "_accept" not in request.POST:
            return super().response_change(request, obj)
        try:
            suggestion = obj.suggestions.get(pk=request.POST["_accept"])
        except (Suggestion.DoesNotExist, ValueError):
            error = SuggestionReplacedError(suggestion=request.POST["_accept"])
            self.message_user(request, error.message, messages.ERROR)
        else:
            if accept(self, request, suggestion):
                self.message_user(request, _("Filed under %s.") % suggestion.category, messages.SUCCESS)
        return HttpResponseRedirect(request.get_full_path())


admin.site.unregister(Book)
admin.site.register(Book, BookWithSuggestionsAdmin)


@admin.register(Suggestion)
class SuggestionAdmin(LookupAdmin, SuggestionColumns, ReadOnlyAdmin):
    list_display = [
        "title", "rank", "category", "percent", "status", "evidence_link", "filed_under", "model_version",
        "accept_button",
    ]  # fmt: skip
    list_display_links = None
    list_select_related = ["book__category", "category", "model_version"]
    list_filter = [
        "rank",
        "abstained",
        "book__category_source",
        ("category", AutocompleteSelectFilter),
        ("probability", RangeNumericFilter),
        "model_version",
    ]
    list_filter_submit = True
    lookups = {"book": search_titles}
    actions = ["accept_selected"]
    fields = ["book", "rank", "category", "percent", "status", "evidence_html", "model_version", "created_at"]
    readonly_fields = ["percent", "status", "evidence_html"]
    column_permissions = {"accept_button": FILE_BOOKS}

    def get_urls(self) -> list[Any]:
        return [self.post_path("accept", self.accept_view), *super().get_urls()]

    def has_accept_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(FILE_BOOKS)

    @display(description=gettext_lazy("evidence"))
    def evidence_html(self, suggestion: Suggestion) -> SafeString:
        return evidence.as_html(suggestion)[0]

    @display(description=gettext_lazy("book"), ordering="book__title")
    def title(self, suggestion: Suggestion) -> SafeString:
        url = reverse("admin:catalogue_book_change", args=[suggestion.book_id])
        return format_html('<a href="{}" class="font-semibold">{}</a>', url, suggestion.book)

    @display(description=gettext_lazy("filed under"), ordering="book__category", empty_value="-")
    def filed_under(self, suggestion: Suggestion) -> str | None:
        book = suggestion.book
        return f"{book.category} ({book.get_category_source_display()})" if book.category else None

    def accept_control(self, suggestion: Suggestion) -> SafeString:
        url = reverse("admin:classifier_suggestion_accept", args=[suggestion.pk])
        return post_button(url, _("Accept"))

    def accept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.require_permission(request, FILE_BOOKS)
        suggestion = get_object_or_404(self.get_queryset(request), pk=pk)
        if accept(self, request, suggestion):
            text = _("%(book)s was filed under %(category)s.")
            values = {"book": suggestion.book, "category": suggestion.category}
            self.message_user(request, text % values, messages.SUCCESS)
        # Return to the list with its filters and page.
        referrer = request.headers.get("Referer", "")
        if not url_has_allowed_host_and_scheme(
            referrer, {request.get_host()}, require_https=request.is_secure()
        ):
            referrer = reverse("admin:classifier_suggestion_changelist")
        return HttpResponseRedirect(referrer)

    @admin.action(permissions=["accept"], description=gettext_lazy("Accept selected suggestions"))
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[Suggestion]) -> None:
        best: dict[int, Suggestion] = {}
        for suggestion in queryset.order_by("rank"):
            best.setdefault(suggestion.book_id, suggestion)
        # Low-confidence suggestions are accepted only one by one.
        confident = [suggestion for suggestion in best.values() if not suggestion.abstained]
        filed = sum(accept(self, request, suggestion) for suggestion in confident)
        text = ngettext(
            "%d book filed under its top selected suggestion.",
            "%d books filed under their top selected suggestions.",
            filed,
        )
        self.message_user(request, text % filed, messages.SUCCESS)
        if skipped := len(best) - len(confident):
            text = ngettext(
                "%d book skipped: its suggestions have low confidence. Review it individually.",
                "%d books skipped: their suggestions have low confidence. Review them individually.",
                skipped,
            )
            self.message_user(request, text % skipped, messages.WARNING)
