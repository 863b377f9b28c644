"""Books in the REST API: searched, filtered, in any order, in pages or as a whole."""

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
from library.catalogue.search import MOST_HITS, matching, ranked
from library.catalogue.selectors.books import held
from library.catalogue.selectors.categories import with_those_below
from library.rest.lists.filters import StableOrdering, StrictFilters
from library.rest.lists.pagination import PagesOrCursors, follows
from library.rest.lists.sparse_fields import FIELDS_PARAMETER, chosen_fields
from library.rest.views import RecordViewSet

#: What is shown of a book that is no column of its own, and what of the database it takes.
_COLUMNS: dict[str, list[str]] = {
    "category_notation": ["category__notation"],
    "cover_small": ["cover"],
    "cover_large": ["cover"],
    "availability": [],
}


class BookFilter(django_filters.FilterSet):
    category = django_filters.ModelChoiceFilter(
        queryset=Category.objects.all(), method="below", label="Books of it and of those below it."
    )
    notation = django_filters.CharFilter(field_name="category__notation")
    uncategorised = django_filters.BooleanFilter(field_name="category", lookup_expr="isnull")
    year = django_filters.RangeFilter()
    has_cover = django_filters.BooleanFilter(method="covered")
    branch = django_filters.ModelChoiceFilter(
        queryset=Branch.objects.all(), method="together", label="Books with a copy there."
    )
    available = django_filters.BooleanFilter(
        method="together", label="Whether a copy can be had now; at the branch, if one is named."
    )

    class Meta:
        model = Book
        fields = ["language", "category_source", "isbn"]

    def filter_queryset(self, queryset: QuerySet[Book]) -> QuerySet[Book]:
        books = super().filter_queryset(queryset)
        branch, available = (self.form.cleaned_data[name] for name in ("branch", "available"))
        if branch is None and available is None:
            return books
        return held(books=books, branch=branch and branch.pk, available=available)

    def below(self, books: QuerySet[Book], name: str, category: Category) -> QuerySet[Book]:
        return books.filter(category__in=with_those_below(category=category.pk))

    def covered(self, books: QuerySet[Book], name: str, wanted: bool) -> QuerySet[Book]:
        return books.exclude(cover="") if wanted else books.filter(cover="")

    def together(self, books: QuerySet[Book], name: str, value: Any) -> QuerySet[Book]:
        """Leave it to `filter_queryset`: the same copy has to meet both."""
        return books


class Ranked(Sequence[Book]):
    """Books in the order of keys; a page of them is read when it is asked for."""

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
        found = self._books.in_bulk(keys)
        return [found[key] for key in keys if key in found]  # one may be deleted meanwhile


class BookSearch(BaseFilterBackend):
    """The catalogue's search; comes last, as it looks among the books that the other filters leave."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        text = request.query_params.get("search", "")
        in_other_order = StableOrdering().get_ordering(request, queryset, view)
        if text.strip() and view.action == "list" and not in_other_order and not follows(request):
            return Ranked(queryset, ranked(books=queryset, text=text))
        if text.strip():
            queryset = matching(books=queryset, text=text)
        return queryset.order_by(*in_other_order) if in_other_order else queryset

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = StableOrdering().get_schema_operation_parameters(view)
        return parameters


_SEARCH = OpenApiParameter(
    "search",
    str,
    description="Words in any language and script, the last one finished or not, or an ISBN or control "
    "number. The best come first: the whole title, the words in a row in the title, all of them in the "
    f"title, in title and authors, anywhere; {MOST_HITS:,} at most. With `ordering` or `pagination=cursor` "
    "all books that match are given, in that order.",
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
    pagination_class = PagesOrCursors
    filter_backends = [StrictFilters, BookSearch]
    filterset_class = BookFilter
    ordering_fields = ["control_number", "title", "year", "created_at"]
    cursor_field = "control_number"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.fields = chosen_fields(request=request, known=CatalogueBookSerializer.Meta.fields)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "fields": getattr(self, "fields", None)}

    def get_queryset(self) -> QuerySet[Book]:
        books = super().get_queryset()
        if (wanted := getattr(self, "fields", None)) is None:
            return books
        columns = [column for name in wanted for column in _COLUMNS.get(name, [name])]
        if "category_notation" not in wanted:
            books = books.select_related(None)
        return books.only("pk", self.cursor_field, *columns)
