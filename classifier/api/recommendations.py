"""Titles for borrowers and titles like a book in the REST API.

What is worked out on request needs numpy, which a web process loads with the first request and not before.
"""

from collections.abc import Sequence
from typing import Any

import django_filters
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.listings import NarrowingSerializer
from classifier.models import Recommendation
from classifier.pipeline.config import SOURCES
from classifier.services.configuration import library_config
from library.catalogue.api import BookSerializer
from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import titles_called
from library.people.api.audit import Action, AuditedViewSet
from library.people.models import Borrower
from library.people.selectors import borrowers_called, without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.lists.csv_renderer import LIST_RENDERERS, table, wants_table
from library.rest.serializers import asked
from library.rest.views import ReadViewSet

#: Those of whatever is in a title, whoever borrows it.
KINDS: dict[str, Sequence[str]] = {"content": SOURCES[1:], **{source: (source,) for source in SOURCES}}


class RecommendationSerializer(serializers.ModelSerializer):
    card_number = serializers.CharField(source="borrower.card_number", read_only=True)
    title = serializers.CharField(source="book.title", read_only=True)
    reason = serializers.CharField(read_only=True, help_text="Why, in the language asked for.")
    sources = serializers.SerializerMethodField(help_text="What made the score, most first.")

    class Meta:
        model = Recommendation
        fields = [
            "id",
            "borrower",
            "card_number",
            "rank",
            "book",
            "title",
            "score",
            "sources",
            "because",
            "reason",
            "created_at",
        ]

    def get_sources(self, recommendation: Recommendation) -> list[str]:
        return recommendation.sources.split(",")


class RecommendationFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    card_number = django_filters.CharFilter(field_name="borrower__card_number")
    book = django_filters.NumberFilter(field_name="book_id")

    class Meta:
        model = Recommendation
        fields: list[str] = []


class RecommendationViewSet(AuditedViewSet, ReadViewSet):
    """The lists made in advance, of borrowers who let the library remember what they read."""

    queryset = without_personal_data(Recommendation.objects.select_related("book", "because"))
    serializer_class = RecommendationSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = RecommendationFilter
    filter_backends = FILTERS
    found_by = {"borrower": borrowers_called, "book": titles_called}
    ordering_fields = ["rank", "score"]


class AskedSerializer(NarrowingSerializer):
    """How many titles are asked for, and which."""

    n = serializers.IntegerField(min_value=1, max_value=100, default=10, help_text="Titles, 100 at most.")
    offset = serializers.IntegerField(
        min_value=0, max_value=1000, default=0, help_text="Titles to pass over first."
    )


class ForBorrowerSerializer(AskedSerializer):
    exclude_borrowed = serializers.BooleanField(
        default=True, help_text="Leave out what the borrower has had."
    )


class LikeBookSerializer(AskedSerializer):
    by = serializers.CharField(
        default=",".join(SOURCES),
        help_text=f"What titles are alike in, one or more of {', '.join(KINDS)}, with commas between.",
    )

    def validate_by(self, value: str) -> Sequence[str]:
        names = [name.strip() for name in value.split(",")]
        if unknown := [name for name in names if name not in KINDS]:
            raise serializers.ValidationError(
                _("“%(name)s” is none of %(names)s.") % {"name": unknown[0], "names": ", ".join(KINDS)}
            )
        return [source for name in names for source in KINDS[name]]


class SimilarBookSerializer(serializers.Serializer):
    rank = serializers.IntegerField()
    score = serializers.FloatField()
    sources = serializers.ListField(
        child=serializers.CharField(), help_text="What they are most alike in, most first."
    )
    available = serializers.BooleanField(
        source="book.is_available", help_text="Whether a copy can be had now."
    )
    book = BookSerializer()


class AdvisedSerializer(SimilarBookSerializer):
    because = serializers.IntegerField(
        source="because.pk", default=None, allow_null=True, help_text="The title that brought most."
    )
    reason = serializers.CharField(help_text="Why, in the language asked for.")


class SimilarBooksSerializer(serializers.Serializer):
    results = SimilarBookSerializer(many=True)


class AdvisedTitlesSerializer(serializers.Serializer):
    results = AdvisedSerializer(many=True)


def _asked(serializer: type[AskedSerializer], request: Request) -> dict[str, Any]:
    given = asked(serializer, request)
    if "category" in given:
        given["category"] = given["category"].pk
    return given


def _titles(request: Request, serializer: type[SimilarBookSerializer], found: Any) -> HttpResponseBase:
    """Answer with titles, the first in front."""
    rows = serializer(found, many=True, context={"request": request}).data
    if wants_table(request):
        return table(request, serializer=serializer(), rows=rows)
    return Response({"results": rows})


class SimilarBooksView(APIView):
    """Titles near a book, the nearest first."""

    queryset = Book.objects.all()
    renderer_classes = LIST_RENDERERS

    @extend_schema(
        parameters=[OpenApiParameter("book_id", int, OpenApiParameter.PATH), LikeBookSerializer],
        responses=SimilarBooksSerializer,
    )
    def get(self, request: Request, book_id: int) -> HttpResponseBase:
        """Titles near a book, the nearest first: by who borrows both, by words, by covers, by theme."""
        from classifier.selectors.recommendations import similar_titles  # loads numpy

        given = _asked(LikeBookSerializer, request)
        get_object_or_404(Book.objects.only("pk"), pk=book_id)
        return _titles(request, SimilarBookSerializer, similar_titles(book=book_id, **given))


class MayAdvise(BasePermission):
    """What comes next tells what was read before."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perms(["people.view_borrower", "classifier.view_recommendation"])


class BorrowerRecommendationsView(AuditedViewSet):
    queryset = Borrower.objects.all()
    permission_classes = [MayAdvise]
    renderer_classes = LIST_RENDERERS

    @extend_schema(
        parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH), ForBorrowerSerializer],
        responses=AdvisedTitlesSerializer,
    )
    def read(self, request: Request, pk: int) -> HttpResponseBase:
        """Titles for a borrower, worked out now from the loans that are still known and stored nowhere.

        Who has no loans gets titles like those liked, then what is new and popular.
        """
        from classifier.selectors.recommendations import advised_titles  # loads numpy

        given = _asked(ForBorrowerSerializer, request)
        borrower = get_object_or_404(Borrower.objects.only("pk"), pk=pk)
        found = advised_titles(
            borrower=borrower.pk,
            settings=library_config().recommend,
            again=not given.pop("exclude_borrowed"),
            **given,
        )
        self.audit(Action.VIEWED, object_key=borrower.pk)
        return _titles(request, AdvisedSerializer, found)
