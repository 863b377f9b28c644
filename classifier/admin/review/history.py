"""List of reviews, and the URLs of the review pages."""

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

from classifier.admin.base import REVIEW_BOOKS, ReadOnlyAdmin
from classifier.admin.review.bulk import bulk_page
from classifier.admin.review.queue import category_search, queue_page
from classifier.models import Review
from classifier.services.review.verdicts import clear_rejections
from library.admin_site.widgets.filters import DateRangeFilter
from library.catalogue.admin.lookup import LookupAdmin
from library.catalogue.selectors.lookup import search_titles


@admin.register(Review)
class ReviewAdmin(LookupAdmin, ReadOnlyAdmin):
    list_display = [
        "created_at", "book", "verdict_label", "suggested", "category", "reviewer", "seconds", "note",
        "withdrawn_at",
    ]  # fmt: skip
    list_display_links = ["created_at"]
    list_select_related = ["book", "suggested", "category", "reviewer"]
    list_filter = ["verdict", ("withdrawn_at", admin.EmptyFieldListFilter), ("created_at", DateRangeFilter)]
    list_filter_submit = True
    lookups = {"book": search_titles}
    actions = ["allow_again"]
    exclude = ["evidence"]

    def get_urls(self) -> list[Any]:
        def page(view: Callable[..., HttpResponse]) -> Any:
            return self.admin_site.admin_view(partial(view, self))

        return [
            path("next/", page(queue_page), name="classifier_review_next"),
            path("bulk/", page(bulk_page), name="classifier_review_bulk"),
            path(
                "categories/",
                self.admin_site.admin_view(category_search),
                name="classifier_review_categories",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        return super().get_queryset(request).defer("evidence")

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(REVIEW_BOOKS)

    @display(
        description=gettext_lazy("verdict"),
        ordering="verdict",
        label={"accept": "success", "correct": "info", "reject": "warning", "unknown": None},
    )
    def verdict_label(self, review: Review) -> tuple[str, str]:
        return review.verdict, review.get_verdict_display()

    @admin.action(
        permissions=["review"], description=gettext_lazy("Allow rejected categories to be suggested again")
    )
    def allow_again(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        books = {review.book for review in queryset.select_related("book")}
        allowed = sum(clear_rejections(book=book, now=timezone.now()) for book in books)
        text = ngettext(
            "%d category can be suggested again, starting with the next batch.",
            "%d categories can be suggested again, starting with the next batch.",
            allowed,
        )
        self.message_user(request, text % allowed, messages.SUCCESS)
