"""Recommendations for borrowers, and similar titles, in the REST API.

Views that compute titles import numpy at the first request, so that a web process starts without it.
"""

from collections.abc import Sequence
from typing import Any

import django_filters
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.listings import TitleFilterSerializer
from classifier.api.permissions import CanRecommend
from classifier.models import Recommendation
from classifier.pipeline.config import SOURCES
from classifier.services.configuration import library_config
from library.catalogue.api import BookSerializer
from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import search_titles
from library.people.api.audit import Action, AuditedViewSet
from library.people.models import Borrower
from library.people.selectors import borrowers_by_card_number, without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.lists.csv_renderer import LIST_RENDERERS, csv_response, wants_csv
from library.rest.serializers import validated_query
from library.rest.views import ReadViewSet

#: Values of the parameter `by`; `content` means every source but loans.
SIMILARITY_SOURCES: dict[str, Sequence[str]] = {
    "content": SOURCES[1:],
    **{source: (source,) for source in SOURCES},
}


class RecommendationSerializer(serializers.ModelSerializer):
    card_number = serializers.CharField(source="borrower.card_number", read_only=True)
    title = serializers.CharField(source="book.title", read_only=True)
    reason = serializers.CharField(
        read_only=True, help_text="Why the title is recommended, in the requested language."
    )
    sources = serializers.SerializerMethodField(help_text="What the score is based on, largest share first.")

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
    """Precomputed recommendations, for borrowers whose loans are not anonymised."""

    queryset = without_personal_data(Recommendation.objects.select_related("book", "because"))
    serializer_class = RecommendationSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = RecommendationFilter
    filter_backends = FILTERS
    lookups = {"borrower": borrowers_by_card_number, "book": search_titles}
    ordering_fields = ["rank", "score"]


class TitlesQuerySerializer(TitleFilterSerializer):
    limit = serializers.IntegerField(min_value=1, max_value=100, default=10, help_text="Number of titles.")
    offset = serializers.IntegerField(
        min_value=0, max_value=1000, default=0, help_text="Number of titles to skip."
    )


class RecommendationsQuerySerializer(TitlesQuerySerializer):
    exclude_borrowed = serializers.BooleanField(
        default=True, help_text="Omit titles that the borrower has borrowed before."
    )


class SimilarTitlesQuerySerializer(TitlesQuerySerializer):
    by = serializers.CharField(
        default=",".join(SOURCES),
        help_text=f"Kinds of similarity, separated by commas: {', '.join(SIMILARITY_SOURCES)}.",
    )

    def validate_by(self, value: str) -> Sequence[str]:
        names = [name.strip() for name in value.split(",")]
        if unknown := [name for name in names if name not in SIMILARITY_SOURCES]:
            raise serializers.ValidationError(
                _("Unknown value “%(name)s”. Use one or more of %(names)s.")
                % {"name": unknown[0], "names": ", ".join(SIMILARITY_SOURCES)}
            )
        return [source for name in names for source in SIMILARITY_SOURCES[name]]


class SimilarTitleSerializer(serializers.Serializer):
    rank = serializers.IntegerField()
    score = serializers.FloatField()
    sources = serializers.ListField(
        child=serializers.CharField(), help_text="What the score is based on, largest share first."
    )
    available = serializers.BooleanField(
        source="book.is_available", help_text="Whether a copy is available now."
    )
    book = BookSerializer()


class RecommendedTitleSerializer(SimilarTitleSerializer):
    because = serializers.IntegerField(
        source="because.pk",
        default=None,
        allow_null=True,
        help_text="ID of the borrowed or liked title that contributed most.",
    )
    reason = serializers.CharField(help_text="Why the title is recommended, in the requested language.")


class SimilarTitleListSerializer(serializers.Serializer):
    results = SimilarTitleSerializer(many=True)


class RecommendedTitleListSerializer(serializers.Serializer):
    results = RecommendedTitleSerializer(many=True)


def _titles_query(serializer: type[TitlesQuerySerializer], request: Request) -> dict[str, Any]:
    query = validated_query(serializer, request)
    query["n"] = query.pop("limit")
    if "category" in query:
        query["category"] = query["category"].pk
    return query


def _titles_response(
    request: Request, serializer: type[SimilarTitleSerializer], titles: Any
) -> HttpResponseBase:
    """Return titles as JSON or CSV, first rank first."""
    rows = serializer(titles, many=True, context={"request": request}).data
    if wants_csv(request):
        return csv_response(request, serializer=serializer(), rows=rows)
    return Response({"results": rows})


class SimilarBooksView(APIView):
    """Titles similar to a book, most similar first."""

    queryset = Book.objects.all()
    renderer_classes = LIST_RENDERERS

    @extend_schema(
        parameters=[OpenApiParameter("book_id", int, OpenApiParameter.PATH), SimilarTitlesQuerySerializer],
        responses=SimilarTitleListSerializer,
    )
    def get(self, request: Request, book_id: int) -> HttpResponseBase:
        """Return titles similar to a book by loans, text, cover or topic, most similar first."""
        from classifier.selectors.recommendations import similar_titles  # loads numpy

        query = _titles_query(SimilarTitlesQuerySerializer, request)
        get_object_or_404(Book.objects.only("pk"), pk=book_id)
        return _titles_response(request, SimilarTitleSerializer, similar_titles(book=book_id, **query))


class BorrowerRecommendationsView(AuditedViewSet):
    queryset = Borrower.objects.all()
    permission_classes = [CanRecommend]
    renderer_classes = LIST_RENDERERS

    @extend_schema(
        parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH), RecommendationsQuerySerializer],
        responses=RecommendedTitleListSerializer,
    )
    def read(self, request: Request, pk: int) -> HttpResponseBase:
        """Return titles for a borrower, computed now from loans that are not anonymised; nothing is stored.

        A borrower without loans gets titles similar to those liked, then new and popular titles.
        """
        from classifier.selectors.recommendations import recommended_titles  # loads numpy

        query = _titles_query(RecommendationsQuerySerializer, request)
        borrower = get_object_or_404(Borrower.objects.only("pk"), pk=pk)
        titles = recommended_titles(
            borrower=borrower.pk,
            settings=library_config().recommend,
            include_borrowed=not query.pop("exclude_borrowed"),
            **query,
        )
        self.audit(Action.VIEWED, object_key=borrower.pk)
        return _titles_response(request, RecommendedTitleSerializer, titles)
