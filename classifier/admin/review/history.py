"""What was reviewed, and where books are reviewed."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from classifier.admin.review.desk import desk_page, found_categories
from classifier.admin.review.groups import groups_page
from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.models import Review
from classifier.services.review.verdicts import clear_rejections
from library.admin_site.widgets.filters import DaysFilter
from library.catalogue.admin.lookup import FindingAdmin
from library.catalogue.selectors.lookup import titles_called


@admin.register(Review)
class ReviewAdmin(FindingAdmin, ReadOnlyAdmin):
    list_display = [
        "at", "book", "verdict_label", "suggested", "category", "reviewer", "seconds", "note", "withdrawn_at"
    ]  # fmt: skip
    list_display_links = ["at"]
    list_select_related = ["book", "suggested", "category", "reviewer"]
    list_filter = ["verdict", ("withdrawn_at", admin.EmptyFieldListFilter), ("at", DaysFilter)]
    list_filter_submit = True
    found_by = {"book": titles_called}
    actions = ["clear_rejections_of"]
    exclude = ["evidence"]

    def get_urls(self) -> list[Any]:
        def page(view: Callable[..., HttpResponse]) -> Any:
            return self.admin_site.admin_view(partial(view, self))

        return [
            path("next/", page(desk_page), name="classifier_review_next"),
            path("groups/", page(groups_page), name="classifier_review_groups"),
            path(
                "categories/",
                self.admin_site.admin_view(found_categories),
                name="classifier_review_categories",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        return super().get_queryset(request).defer("evidence")

    def has_review_permission(self, request: HttpRequest) -> bool:
        """A review files books, so the book's permission counts too."""
        return request.user.has_perms(["classifier.add_review", "catalogue.change_book"])

    @display(
        description=gettext_lazy("verdict"),
        ordering="verdict",
        label={"accept": "success", "correct": "info", "reject": "warning", "unknown": None},
    )
    def verdict_label(self, review: Review) -> tuple[str, str]:
        return review.verdict, review.get_verdict_display()

    @admin.action(
        permissions=["review"], description=gettext_lazy("Let rejected categories be suggested again")
    )
    def clear_rejections_of(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        books = {review.book for review in queryset.select_related("book")}
        done = sum(clear_rejections(book=book, now=timezone.now()) for book in books)
        text = ngettext(
            "%d category may be suggested again, from the next reclassification on.",
            "%d categories may be suggested again, from the next reclassification on.",
            done,
        )
        self.message_user(request, text % done, messages.SUCCESS)
