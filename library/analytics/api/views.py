"""The addresses: each checks what is asked for, reads, and sends JSON or CSV."""

from datetime import datetime
from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from library.analytics.api.answers import (
    AnswerSerializer,
    CategoryUseSerializer,
    LoansSerializer,
    MostLoanedSerializer,
)
from library.analytics.api.queries import LoansQuerySerializer, ScopeSerializer, TitlesQuerySerializer
from library.analytics.selectors.collection import use_by_category
from library.analytics.selectors.loans import counts, freshness, groups
from library.analytics.selectors.scope import Scope
from library.analytics.selectors.titles import most_loaned
from library.rest.lists.csv_renderer import LIST_RENDERERS, table, wants_table
from library.rest.serializers import asked


class SeesStatistics(BasePermission):
    """Who may view the statistics in the admin may read them here."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("analytics.view_statistics")


class _StatisticsView(APIView):
    """Checks what is asked for, and sends it as JSON or, with ``?format=csv`` or ``Accept``, as CSV."""

    permission_classes = [IsAuthenticated, SeesStatistics]
    renderer_classes = LIST_RENDERERS
    query_serializer: type[ScopeSerializer]
    answer_serializer: type[AnswerSerializer]

    def get(self, request: Request) -> HttpResponseBase:
        given = asked(self.query_serializer, request)
        branch, category = given.pop("branch", None), given.pop("category", None)
        scope = Scope(
            given.pop("start"),
            given.pop("end"),
            branch.pk if branch else None,
            category.pk if category else None,
        )
        rows = self.rows(scope=scope, **given)
        if wants_table(request):
            results: Any = self.answer_serializer().fields["results"]
            row: Serializer = results.child
            return table(request, serializer=row, rows=map(row.to_representation, rows))
        at: datetime | None = freshness().refreshed_at
        return Response(self.answer_serializer({"refreshed_at": at, "results": rows}).data)

    def rows(self, *, scope: Scope, **given: Any) -> list[dict[str, Any]]:
        raise NotImplementedError


def _schema(query: type[ScopeSerializer], answer: type[AnswerSerializer], example: Any) -> Any:
    return extend_schema(
        parameters=[query],
        responses=answer,
        examples=[
            OpenApiExample(
                "An answer",
                value={"refreshed_at": "2026-03-01T05:20:00Z", "results": [example]},
                response_only=True,
                media_type="application/json",
            )
        ],
    )


_HISTORY = {"key": 7, "code": "900", "name": "900 History"}


class LoansView(_StatisticsView):
    """What happened at the desk: checkouts, renewals, checkins, late checkins and holds placed.

    Counted are events, whoever the borrower was, up to `refreshed_at`. Every period has its row. Item types
    and categories of borrowers are not counted by category of books. Of categories of borrowers, those of few
    people are put together with unknown ones, and numbers of few are null.
    """

    query_serializer = LoansQuerySerializer
    answer_serializer = LoansSerializer

    @_schema(
        LoansQuerySerializer,
        LoansSerializer,
        {"period": "2026-01-01", "group": _HISTORY, "checkouts": 312, "renewals": 58},
    )
    def get(self, request: Request) -> HttpResponseBase:
        return super().get(request)

    def rows(self, *, scope: Scope, **given: Any) -> list[dict[str, Any]]:
        interval = None if given["interval"] == "total" else given["interval"]
        table = counts(
            scope=scope, interval=interval, group_by=given["group_by"], metrics=tuple(given["metrics"])
        )
        return [
            {"period": start, "group": _group(group), **numbers}
            for group, by_start in table.items()
            for start, numbers in by_start.items()
        ]


class MostLoanedView(_StatisticsView):
    """The titles lent most, the most lent first.

    Titles with few checkouts are not told of, and loans of borrowers who are left out of statistics do not
    count, as in the lists of popular titles.
    """

    query_serializer = TitlesQuerySerializer
    answer_serializer = MostLoanedSerializer

    @_schema(
        TitlesQuerySerializer,
        MostLoanedSerializer,
        {
            "book": {"id": 3, "control_number": "B3", "title": "Optics", "authors": "Chen, A."},
            "checkouts": 41,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        return super().get(request)

    def rows(self, *, scope: Scope, **given: Any) -> list[dict[str, Any]]:
        found = most_loaned(scope=scope, limit=given["limit"])
        return [{"book": lent.book, "checkouts": lent.checkouts} for lent in found]


class CategoryUseView(_StatisticsView):
    """What each category held at `refreshed_at`, and how often it was lent."""

    query_serializer = ScopeSerializer
    answer_serializer = CategoryUseSerializer

    @_schema(
        ScopeSerializer,
        CategoryUseSerializer,
        {
            "group": _HISTORY,
            "copies": 120,
            "checkouts": 312,
            "turnover": 2.6,
            "titles": 98,
            "never": 14,
            "year": 2009.4,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        return super().get(request)

    def rows(self, *, scope: Scope, **given: Any) -> list[dict[str, Any]]:
        uses = use_by_category(scope=scope)
        names = ("copies", "checkouts", "turnover", "titles", "never", "year")
        return [
            {"group": _group(group), **{name: getattr(uses[group.key], name) for name in names}}
            for group in groups(group_by="category", keys=uses)
        ]


def _group(group: Any) -> dict[str, Any]:
    return {"key": group.key, "code": group.code, "name": group.name}
