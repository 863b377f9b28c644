"""Suggestions in the REST API, read from rows."""

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
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.models import Suggestion
from classifier.services.review.verdicts import accept_suggestion
from library.admin_site.users import signed_in
from library.catalogue.api import BookSerializer
from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import titles_called
from library.rest.views import ListView, ReadViewSet


class MayFileBooks(BasePermission):
    """Accepting a suggestion changes the book, so the book's permission counts."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("catalogue.change_book")


def _listed(of: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "array", "items": {}}, "description": of}


_NUMBER = {"type": "number", "format": "double"}
_EVIDENCE = {
    "type": "object",
    "readOnly": True,
    "description": "Why this category: what each part of what is known of the book brought to its score, a "
    "log probability up to a constant. Modalities are text, cover, loans, audio and sentence; only those "
    "that the book has are named. Categories are scheme/notation, books control numbers. Empty of "
    "suggestions from before there was evidence.",
    "properties": {
        "decision": _NUMBER | {"description": "The score: the baseline and all shares, summed up."},
        "baseline": _NUMBER | {"description": "The score of a book of which nothing is known."},
        "shares": {
            "type": "object",
            "additionalProperties": _NUMBER,
            "description": "By modality, what it added (Shapley value).",
        },
        "terms": {
            "type": "object",
            "properties": {
                "for": _listed("[field, word, gain], the largest gain first."),
                "against": _listed("[field, word, gain], the largest loss first."),
            },
        },
        "says": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {}},
            "description": "By modality, [category, probability] that it names by itself.",
        },
        "disagree": {"type": "boolean", "description": "Whether the modalities name different categories."},
        "left_out": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The modalities that books like this one are judged better without.",
        },
        "nearest": {
            "type": "object",
            "additionalProperties": _listed("[book, category, cosine], the nearest first."),
            "description": "By modality (cover, audio), the categorised books most alike.",
        },
        "borrowed_with": {
            "type": "object",
            "properties": {
                "agree": _NUMBER | {"description": "Share of all co-borrowing that is with books taken to be "
                                    "of this category."},
                "books": _listed("[book, weight], the largest weight first."),
            },
        },
    },
}  # fmt: skip


@extend_schema_field(_EVIDENCE)
class EvidenceField(serializers.JSONField):
    """What `classifier.pipeline.explanation.evidence` gives."""


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
    """Suggested categories; where the model abstained, they are guesses and no suggestion."""

    queryset = Suggestion.objects.select_related("book", "category", "model_version")
    serializer_class = SuggestionSerializer
    filterset_class = SuggestionFilter
    filter_backends = FILTERS
    found_by = {"book": titles_called}
    ordering_fields = ["probability", "rank", "created_at"]

    @extend_schema(request=None, responses=BookSerializer)
    @action(detail=True, methods=["post"], permission_classes=[MayFileBooks])
    def accept(self, request: Request, pk: str) -> Response:
        """File the book under the suggested category."""
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
        404: OpenApiResponse(OpenApiTypes.OBJECT, description="There is no such book."),
    },
    examples=[
        OpenApiExample(
            "The best one",
            value={
                "id": 31,
                "book": 7,
                "title": "Galaxies",
                "rank": 1,
                "category": 52,
                "notation": "520",
                "probability": 0.93,
                "abstained": False,
                "evidence": {"decision": 6.1, "baseline": -0.2, "shares": {"text": 5.2, "cover": 1.1}},
                "model_version": "20261101-021500-a1b2",
                "created_at": "2026-11-02T02:00:00Z",
            },
            response_only=True,
        )
    ],
)
class BookSuggestionsView(ListView):
    """The categories that the last run suggests for a book, the likeliest first."""

    queryset = Suggestion.objects.select_related("book", "category", "model_version").order_by("rank")
    serializer_class = SuggestionSerializer
    filter_backends: list[type] = []

    def get_queryset(self) -> QuerySet[Suggestion]:
        return super().get_queryset().filter(book=self.kwargs["book_id"])

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        get_object_or_404(Book.objects.only("pk"), pk=self.kwargs["book_id"])
        return super().list(request, *args, **kwargs)
