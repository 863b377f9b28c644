"""Suggestions in the REST API: read and accept."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.permissions import CanFileBooks
from classifier.models import Suggestion
from classifier.services.review.verdicts import accept_suggestion
from library.admin_site.users import signed_in
from library.catalogue.api import BookSerializer
from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import search_titles
from library.rest.views import ListView, ReadViewSet


def _tuples(description: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "array", "items": {}}, "description": description}


_NUMBER = {"type": "number", "format": "double"}
_EVIDENCE_SCHEMA = {
    "type": "object",
    "readOnly": True,
    "description": "Contributions to the score of the category, a log probability up to a constant. "
    "Modalities are text, cover, loans, audio and sentence; only those that the book has are listed. "
    "Categories are scheme/notation, books are control numbers. Empty if the suggestion was stored without "
    "evidence.",
    "properties": {
        "score": _NUMBER | {"description": "The baseline plus all contributions."},
        "baseline": _NUMBER | {"description": "Score of a book without any modality."},
        "contributions": {
            "type": "object",
            "additionalProperties": _NUMBER,
            "description": "By modality, its contribution to the score (Shapley value).",
        },
        "terms": {
            "type": "object",
            "properties": {
                "for": _tuples("[field, term, contribution], largest first."),
                "against": _tuples("[field, term, contribution], most negative first."),
            },
        },
        "modality_predictions": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {}},
            "description": "By modality, the [category, probability] that it predicts by itself.",
        },
        "modalities_disagree": {
            "type": "boolean",
            "description": "Whether the modalities predict different categories.",
        },
        "excluded_modalities": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Modalities that were ignored: similar books are classified more accurately "
            "without them.",
        },
        "nearest_books": {
            "type": "object",
            "additionalProperties": _tuples("[book, category, cosine similarity], nearest first."),
            "description": "By modality (cover, audio), the most similar categorised books.",
        },
        "co_borrowed": {
            "type": "object",
            "properties": {
                "share": _NUMBER | {"description": "Share of all co-borrowing with books that the model "
                                    "assigns to this category."},
                "books": _tuples("[book, weight], largest weight first."),
            },
        },
    },
}  # fmt: skip


@extend_schema_field(_EVIDENCE_SCHEMA)
class EvidenceField(serializers.JSONField):
    """JSON of `classifier.pipeline.evidence.Evidence`."""


class SuggestionSerializer(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title", read_only=True)
    notation = serializers.CharField(source="category.notation", read_only=True)
    model_version = serializers.CharField(source="model_version.name", read_only=True)
    evidence = EvidenceField(read_only=True)

    class Meta:
        model = Suggestion
        fields = [
            "id",
            "book",
            "title",
            "rank",
            "category",
            "notation",
            "probability",
            "abstained",
            "evidence",
            "model_version",
            "created_at",
        ]


class SuggestionFilter(django_filters.FilterSet):
    book = django_filters.NumberFilter(field_name="book_id")
    category = django_filters.NumberFilter(field_name="category_id")
    probability = django_filters.RangeFilter()
    model_version = django_filters.CharFilter(field_name="model_version__name")

    class Meta:
        model = Suggestion
        fields = ["rank", "abstained"]


class SuggestionViewSet(ReadViewSet):
    """Suggested categories of books. If `abstained`, the confidence is too low for a suggestion."""

    queryset = Suggestion.objects.select_related("book", "category", "model_version")
    serializer_class = SuggestionSerializer
    filterset_class = SuggestionFilter
    filter_backends = FILTERS
    lookups = {"book": search_titles}
    ordering_fields = ["probability", "rank", "created_at"]

    @extend_schema(request=None, responses=BookSerializer)
    @action(detail=True, methods=["post"], permission_classes=[CanFileBooks])
    def accept(self, request: Request, pk: str) -> Response:
        """Accept a suggestion: file the book under the suggested category."""
        book = accept_suggestion(
            suggestion=self.get_object(),
            reviewer=signed_in(request.user),
            now=timezone.now(),
        )
        return Response(BookSerializer(book, context=self.get_serializer_context()).data)


@extend_schema(
    parameters=[OpenApiParameter("book_id", int, OpenApiParameter.PATH)],
    responses={
        200: SuggestionSerializer(many=True),
        404: OpenApiResponse(OpenApiTypes.OBJECT, description="Book not found."),
    },
    examples=[
        OpenApiExample(
            "Top suggestion",
            value={
                "id": 31,
                "book": 7,
                "title": "Galaxies",
                "rank": 1,
                "category": 52,
                "notation": "520",
                "probability": 0.93,
                "abstained": False,
                "evidence": {
                    "score": 6.1,
                    "baseline": -0.2,
                    "contributions": {"text": 5.2, "cover": 1.1},
                },
                "model_version": "20261101-021500-a1b2",
                "created_at": "2026-11-02T02:00:00Z",
            },
            response_only=True,
        )
    ],
)
class BookSuggestionsView(ListView):
    """Suggested categories of a book from the last run, most probable first."""

    queryset = Suggestion.objects.select_related("book", "category", "model_version").order_by("rank")
    serializer_class = SuggestionSerializer
    filter_backends: list[type] = []

    def get_queryset(self) -> QuerySet[Suggestion]:
        return super().get_queryset().filter(book=self.kwargs["book_id"])

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        get_object_or_404(Book.objects.only("pk"), pk=self.kwargs["book_id"])
        return super().list(request, *args, **kwargs)
