"""Books in the REST API: search, filters, ordering and paging."""

from collections.abc import Sequence
from typing import Any, overload

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.views import APIView

from library.catalogue.api.serializers import CatalogueBookSerializer
from library.catalogue.models import Book, Branch, Category
from library.catalogue.search import MAX_HITS, matching, ranked
from library.catalogue.selectors.books import with_copies
from library.catalogue.selectors.categories import descendants
from library.rest.lists.filters import StableOrdering, StrictFilters
from library.rest.lists.pagination import NumberedOrCursorPages, uses_cursor
from library.rest.lists.sparse_fields import FIELDS_PARAMETER, requested_fields
from library.rest.views import RecordViewSet

#: Fields of a book in the API that are not columns, and the columns they need.
_COLUMNS: dict[str, list[str]] = {
    "category_notation": ["category__notation"],
    "cover_small": ["cover"],
    "cover_large": ["cover"],
    "availability": [],
}


class BookFilter(django_filters.FilterSet):
    category = django_filters.ModelChoiceFilter(
        queryset=Category.objects.all(), method="below", label="Books in this category and its descendants."
    )
    notation = django_filters.CharFilter(field_name="category__notation")
    uncategorised = django_filters.BooleanFilter(field_name="category", lookup_expr="isnull")
    year = django_filters.RangeFilter()
    has_cover = django_filters.BooleanFilter(method="covered")
    branch = django_filters.ModelChoiceFilter(
        queryset=Branch.objects.all(), method="combined", label="Books with a copy at this branch."
    )
    available = django_filters.BooleanFilter(
        method="combined", label="Whether a copy is available, at the given branch if any."
    )

    class Meta:
        model = Book
        fields = ["language", "category_source", "isbn"]

    def filter_queryset(self, queryset: QuerySet[Book]) -> QuerySet[Book]:
        books = super().filter_queryset(queryset)
        branch, available = (self.form.cleaned_data[name] for name in ("branch", "available"))
        if branch is None and available is None:
            return books
        return with_copies(books=books, branch=branch and branch.pk, available=available)

    def below(self, books: QuerySet[Book], name: str, category: Category) -> QuerySet[Book]:
        return books.filter(category__in=descendants(category=category.pk))

    def covered(self, books: QuerySet[Book], name: str, wanted: bool) -> QuerySet[Book]:
        return books.exclude(cover="") if wanted else books.filter(cover="")

    def combined(self, books: QuerySet[Book], name: str, value: Any) -> QuerySet[Book]:
        """Do nothing: `filter_queryset` applies both, because one copy has to meet both."""
        return books


class Ranked(Sequence[Book]):
    """Books in the order of keys; each page is read on access."""

    def __init__(self, books: QuerySet[Book], keys: list[int]) -> None:
        self._books = books
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Book: ...
    @overload
    def __getitem__(self, index: slice) -> list[Book]: ...
    def __getitem__(self, index: int | slice) -> Book | list[Book]:
        if isinstance(index, int):
            return self[index : index + 1][0]
        keys = self._keys[index]
        books = self._books.in_bulk(keys)
        return [books[key] for key in keys if key in books]  # a book may have been deleted


class BookSearch(BaseFilterBackend):
    """The catalogue's search. It runs last, on the books that the other filters leave."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        text = request.query_params.get("search", "")
        ordering = StableOrdering().get_ordering(request, queryset, view)
        if text.strip() and view.action == "list" and not ordering and not uses_cursor(request):
            return Ranked(queryset, ranked(books=queryset, text=text))
        if text.strip():
            queryset = matching(books=queryset, text=text)
        return queryset.order_by(*ordering) if ordering else queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = StableOrdering().get_schema_operation_parameters(view)
        return parameters


_SEARCH = OpenApiParameter(
    "search",
    str,
    description="Words in any language and script, the last one complete or not, or an ISBN or control "
    "number. Best matches first: the whole title, the words in sequence in the title, all of them in the "
    f"title, in title and authors, anywhere; {MAX_HITS:,} at most. With `ordering` or `pagination=cursor` "
    "all matching books are returned, in that order.",
    examples=[
        OpenApiExample("as you type", value="newton opt"),
        OpenApiExample("in Chinese", value="中国历史"),
        OpenApiExample("an ISBN", value="978-0-486-60205-9"),
    ],
)


@extend_schema_view(
    list=extend_schema(parameters=[_SEARCH, FIELDS_PARAMETER]),
    retrieve=extend_schema(parameters=[FIELDS_PARAMETER]),
)
class BookViewSet(RecordViewSet):
    """The titles of the catalogue, each with its copies by branch."""

    queryset = Book.objects.select_related("category")
    serializer_class = CatalogueBookSerializer
    pagination_class = NumberedOrCursorPages
    filter_backends = [StrictFilters, BookSearch]
    filterset_class = BookFilter
    ordering_fields = ["control_number", "title", "year", "created_at"]
    cursor_field = "control_number"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.fields = requested_fields(request=request, allowed=CatalogueBookSerializer.Meta.fields)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "fields": getattr(self, "fields", None)}

    def get_queryset(self) -> QuerySet[Book]:
        books = super().get_queryset()
        if (requested := getattr(self, "fields", None)) is None:
            return books
        columns = [column for name in requested for column in _COLUMNS.get(name, [name])]
        if "category_notation" not in requested:
            books = books.select_related(None)
        return books.only("pk", self.cursor_field, *columns)
