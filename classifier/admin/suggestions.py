"""The classifier's desk: suggestions to judge, and recommendations to read.

The book's page is the catalogue's, and the catalogue knows nothing of suggestions; so its admin class is
extended here and registered again, as Django's documentation does with ``UserAdmin``.
"""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms.utils import flatatt
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeNumericFilter
from unfold.decorators import display

from classifier.admin.listings import lists_page
from classifier.models import Suggestion
from classifier.presentation import evidence
from classifier.services.review.verdicts import SuggestionReplacedError, accept_suggestion
from library.admin_site.users import signed_in
from library.catalogue.admin import BookAdmin
from library.catalogue.admin.lookup import FindingAdmin
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import titles_called
from library.errors import LibraryError


def may_file_books(request: HttpRequest) -> bool:
    """Accepting a suggestion changes the book, so the book's permission counts."""
    return request.user.has_perm("catalogue.change_book")


def accept(model_admin: admin.ModelAdmin, request: HttpRequest, suggestion: Suggestion) -> bool:
    """Accept one suggestion, write the book's history and tell the person if it could not be done."""
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


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the classifier writes."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SuggestionColumns:
    """How a suggestion looks, on its own list and beside its book."""

    @display(description=gettext_lazy("probability"), ordering="probability")
    def percent(self, suggestion: Suggestion) -> str:
        return f"{suggestion.probability:.0%}"

    @display(description=gettext_lazy("answer"), ordering="abstained")
    def answer(self, suggestion: Suggestion) -> str:
        return _("guess") if suggestion.abstained else _("suggestion")

    @display(description="")
    def why(self, suggestion: Suggestion) -> SafeString:
        url = reverse("admin:classifier_suggestion_change", args=[suggestion.pk])
        return format_html('<a href="{}">{}</a>', url, _("Why?"))

    def accept_attributes(self, suggestion: Suggestion) -> dict[str, str]:
        """Return the attributes that say what the accept button does."""
        raise NotImplementedError

    @display(description="")
    def accept_button(self, suggestion: Suggestion) -> SafeString | str:
        book = suggestion.book
        if (
            book.category_source == book.CategorySource.LIBRARIAN
            and book.category_id == suggestion.category_id
        ):
            return _("accepted")
        attributes = flatatt({"class": "row-button", **self.accept_attributes(suggestion)})
        return format_html('<button type="submit"{}>{}</button>', attributes, _("Accept"))


class SuggestionInline(SuggestionColumns, TabularInline):
    """The suggestions beside their book; "accept" saves the page and files the book in one step."""

    model = Suggestion
    extra = 0
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Suggestion]:
        return super().get_queryset(request).select_related("book", "category", "model_version")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = ["rank", "category", "percent", "answer", "model_version", "why"]
        return [*fields, "accept_button"] if may_file_books(request) else fields

    get_readonly_fields = get_fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def accept_attributes(self, suggestion: Suggestion) -> dict[str, str]:
        # The form's own submit: the person's other edits on the page are saved, not lost.
        return {"name": "_accept", "value": str(suggestion.pk)}


class BookWithSuggestionsAdmin(BookAdmin):
    inlines = [SuggestionInline, *BookAdmin.inlines]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.lists_view)
        return [path("lists/", view, name="catalogue_book_lists"), *super().get_urls()]

    def lists_view(self, request: HttpRequest) -> HttpResponse:
        """Show what is popular, trending and new, and hidden treasures."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return lists_page(self, request)

    def response_change(self, request: HttpRequest, obj: Book) -> HttpResponse:
        if "_accept" not in request.POST:
            return super().response_change(request, obj)
        try:
            suggestion = obj.suggestions.get(pk=request.POST["_accept"])
        except (Suggestion.DoesNotExist, ValueError):
            gone = SuggestionReplacedError(suggestion=request.POST["_accept"])
            self.message_user(request, gone.message, messages.ERROR)
        else:
            if accept(self, request, suggestion):
                self.message_user(request, _("Filed under %s.") % suggestion.category, messages.SUCCESS)
        return HttpResponseRedirect(request.get_full_path())


admin.site.unregister(Book)
admin.site.register(Book, BookWithSuggestionsAdmin)


@admin.register(Suggestion)
class SuggestionAdmin(FindingAdmin, SuggestionColumns, ReadOnlyAdmin):
    list_display = [
        "title", "rank", "category", "percent", "answer", "why", "filed_under", "model_version",
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
    found_by = {"book": titles_called}
    actions = ["accept_selected"]
    fields = ["book", "rank", "category", "percent", "answer", "reasons", "model_version", "created_at"]
    readonly_fields = ["percent", "answer", "reasons"]

    def get_list_display(self, request: HttpRequest) -> list[str]:
        columns = super().get_list_display(request)
        return [name for name in columns if name != "accept_button" or may_file_books(request)]

    def get_urls(self) -> list[Any]:
        accept_view = self.admin_site.admin_view(require_POST(self.accept_view))
        return [
            path("<int:pk>/accept/", accept_view, name="classifier_suggestion_accept"),
            *super().get_urls(),
        ]

    def has_accept_permission(self, request: HttpRequest) -> bool:
        return may_file_books(request)

    @display(description=gettext_lazy("evidence"))
    def reasons(self, suggestion: Suggestion) -> SafeString:
        return evidence.as_html(suggestion)

    @display(description=gettext_lazy("book"), ordering="book__title")
    def title(self, suggestion: Suggestion) -> SafeString:
        url = reverse("admin:catalogue_book_change", args=[suggestion.book_id])
        return format_html('<a href="{}" class="font-semibold">{}</a>', url, suggestion.book)

    @display(description=gettext_lazy("filed under"), ordering="book__category", empty_value="-")
    def filed_under(self, suggestion: Suggestion) -> str | None:
        book = suggestion.book
        return f"{book.category} ({book.get_category_source_display()})" if book.category else None

    def accept_attributes(self, suggestion: Suggestion) -> dict[str, str]:
        # The list's form is a POST with a CSRF token already; the button only sends it elsewhere.
        return {"formaction": reverse("admin:classifier_suggestion_accept", args=[suggestion.pk])}

    def accept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not (self.has_view_permission(request) and may_file_books(request)):
            raise PermissionDenied
        suggestion = get_object_or_404(self.get_queryset(request), pk=pk)
        if accept(self, request, suggestion):
            text = _("%(book)s is filed under %(category)s.")
            values = {"book": suggestion.book, "category": suggestion.category}
            self.message_user(request, text % values, messages.SUCCESS)
        # Back to the list with its filters and page.
        back = request.headers.get("Referer", "")
        if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
            back = reverse("admin:classifier_suggestion_changelist")
        return HttpResponseRedirect(back)

    @admin.action(permissions=["accept"], description=gettext_lazy("Accept selected suggestions"))
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[Suggestion]) -> None:
        best: dict[int, Suggestion] = {}
        for suggestion in queryset.order_by("rank"):
            best.setdefault(suggestion.book_id, suggestion)
        # A guess is no suggestion: who wants it takes it book by book, having looked.
        suggested = [suggestion for suggestion in best.values() if not suggestion.abstained]
        done = sum(accept(self, request, suggestion) for suggestion in suggested)
        text = ngettext(
            "%d book filed under its best selected suggestion.",
            "%d books filed under their best selected suggestion.",
            done,
        )
        self.message_user(request, text % done, messages.SUCCESS)
        if guessed := len(best) - len(suggested):
            text = ngettext(
                "%d book left out: for it there are guesses only. Look at them one by one.",
                "%d books left out: for them there are guesses only. Look at them one by one.",
                guessed,
            )
            self.message_user(request, text % guessed, messages.WARNING)
