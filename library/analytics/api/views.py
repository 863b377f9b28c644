"""Endpoints of the statistics API."""

from datetime import datetime
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from library.analytics.api.queries import LoansQuerySerializer, ScopeSerializer, TitlesQuerySerializer
from library.analytics.api.responses import (
    CategoryUseSerializer,
    LoansSerializer,
    MostBorrowedSerializer,
    StatisticsSerializer,
)
from library.analytics.selectors.collection import use_by_category
from library.analytics.selectors.loans import Group, counts, freshness, groups
from library.analytics.selectors.scope import Scope
from library.analytics.selectors.titles import most_borrowed
from library.rest.lists.csv_renderer import LIST_RENDERERS, csv_response, wants_csv
from library.rest.serializers import validated_query


class CanViewStatistics(BasePermission):
    """Require the permission that the admin's statistics pages require."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("analytics.view_statistics")


class _StatisticsView(APIView):
    """Base: validate the query and respond with JSON or, with ``?format=csv`` or ``Accept``, CSV."""

    permission_classes = [IsAuthenticated, CanViewStatistics]
    renderer_classes = LIST_RENDERERS
    query_serializer: type[ScopeSerializer]
    response_serializer: type[StatisticsSerializer]

    def get(self, request: Request) -> HttpResponseBase:
        parameters = validated_query(self.query_serializer, request)
        branch, category = parameters.pop("branch", None), parameters.pop("category", None)
        scope = Scope(
            parameters.pop("start"),
            parameters.pop("end"),
            branch.pk if branch else None,
            category.pk if category else None,
        )
        rows = self.rows(scope=scope, **parameters)
        if wants_csv(request):
            results: Any = self.response_serializer().fields["results"]
            row: Serializer = results.child
            return csv_response(request, serializer=row, rows=map(row.to_representation, rows))
        refreshed_at: datetime | None = freshness().refreshed_at
        return Response(self.response_serializer({"refreshed_at": refreshed_at, "results": rows}).data)

    def rows(self, *, scope: Scope, **parameters: Any) -> list[dict[str, Any]]:
        raise NotImplementedError


def _schema(query: type[ScopeSerializer], response: type[StatisticsSerializer], example: Any) -> Any:
    return extend_schema(
        parameters=[query],
        responses=response,
        examples=[
            OpenApiExample(
                "Response",
                value={"refreshed_at": "2026-03-01T05:20:00Z", "results": [example]},
                response_only=True,
                media_type="application/json",
            )
        ],
    )


_HISTORY = {"key": 7, "code": "900", "name": "900 History"}


class LoansView(_StatisticsView):
    """Circulation: checkouts, renewals, checkins, late checkins and holds placed.

    Counts all events up to `refreshed_at`. Every period has a row. Item types and borrower categories cannot
    be combined with a book category. To protect privacy, small borrower categories are merged with unknown
    ones, and small counts are null.
    """

    query_serializer = LoansQuerySerializer
    response_serializer = LoansSerializer

    @_schema(
        LoansQuerySerializer,
        LoansSerializer,
        {"period": "2026-01-01", "group": _HISTORY, "checkouts": 312, "renewals": 58},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return super().get(request)

    def rows(self, *, scope: Scope, **parameters: Any) -> list[dict[str, Any]]:
        interval = None if parameters["interval"] == "total" else parameters["interval"]
        table = counts(
            scope=scope,
            interval=interval,
            group_by=parameters["group_by"],
            metrics=tuple(parameters["metrics"]),
        )
        return [
            {"period": start, "group": _group(group), **numbers}
            for group, by_start in table.items()
            for start, numbers in by_start.items()
        ]


class MostBorrowedView(_StatisticsView):
    """The most borrowed titles, most checkouts first.

    As in the lists of popular titles, titles with few checkouts are omitted, and loans of borrowers excluded
    from statistics do not count.
    """

    query_serializer = TitlesQuerySerializer
    response_serializer = MostBorrowedSerializer

    @_schema(
        TitlesQuerySerializer,
        MostBorrowedSerializer,
        {
            "book": {"id": 3, "control_number": "B3", "title": "Optics", "authors": "Chen, A."},
            "checkouts": 41,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        return super().get(request)

    def rows(self, *, scope: Scope, **parameters: Any) -> list[dict[str, Any]]:
        titles = most_borrowed(scope=scope, limit=parameters["limit"])
        return [{"book": title.book, "checkouts": title.checkouts} for title in titles]


class CategoryUseView(_StatisticsView):
    """Holdings of each category at `refreshed_at`, and their checkouts."""

    query_serializer = ScopeSerializer
    response_serializer = CategoryUseSerializer

    @_schema(
        ScopeSerializer,
        CategoryUseSerializer,
        {
            "group": _HISTORY,
            "copies": 120,
            "checkouts": 312,
            "turnover": 2.6,
            "titles": 98,
            "never_borrowed": 14,
            "mean_year": 2009.4,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        return super().get(request)

    def rows(self, *, scope: Scope, **parameters: Any) -> list[dict[str, Any]]:
        uses = use_by_category(scope=scope)
        names = ("copies", "checkouts", "turnover", "titles", "never_borrowed", "mean_year")
        return [
            {"group": _group(group), **{name: getattr(uses[group.key], name) for name in names}}
            for group in groups(group_by="category", keys=uses)
        ]


def _group(group: Group) -> dict[str, Any]:
    return {"key": group.key, "code": group.code, "name": group.name}
