"""Suggestions, recommendations and similar titles in the REST API, all read from rows."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from classifier.models import Recommendation, SimilarBook, Suggestion
from classifier.services.review import accept_suggestion
from library.catalogue.api import BookSerializer
from library.catalogue.models import Book
from library.rest.permissions import PersonalDataPermissions


class MayFileBooks(BasePermission):
    """Accepting a suggestion changes the book, so the book's permission counts."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("catalogue.change_book")


class SuggestionSerializer(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title", read_only=True)
    notation = serializers.CharField(source="category.notation", read_only=True)
    model_version = serializers.CharField(source="model_version.name", read_only=True)

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
        fields = ["rank"]


class SuggestionViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Suggestion.objects.select_related("book", "category", "model_version")
    serializer_class = SuggestionSerializer
    filterset_class = SuggestionFilter
    search_fields = ["book__title", "book__control_number", "category__notation"]
    ordering_fields = ["probability", "rank", "created_at"]

    @extend_schema(request=None, responses=BookSerializer)
    @action(detail=True, methods=["post"], permission_classes=[MayFileBooks])
    def accept(self, request: Request, pk: str) -> Response:
        """File the book under the suggested category."""
        book = accept_suggestion(suggestion=self.get_object())
        return Response(BookSerializer(book, context=self.get_serializer_context()).data)


class RecommendationSerializer(serializers.ModelSerializer):
    card_number = serializers.CharField(source="borrower.card_number", read_only=True)
    title = serializers.CharField(source="book.title", read_only=True)

    class Meta:
        model = Recommendation
        fields = ["id", "borrower", "card_number", "rank", "book", "title", "score", "reason", "created_at"]


class RecommendationFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    card_number = django_filters.CharFilter(field_name="borrower__card_number")
    book = django_filters.NumberFilter(field_name="book_id")

    class Meta:
        model = Recommendation
        fields: list[str] = []


class RecommendationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = Recommendation.objects.select_related("borrower", "book")
    serializer_class = RecommendationSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = RecommendationFilter
    search_fields = ["borrower__card_number", "book__title"]
    ordering_fields = ["rank", "score"]


class SimilarBookSerializer(serializers.ModelSerializer):
    book = BookSerializer(source="other", read_only=True)

    class Meta:
        model = SimilarBook
        fields = ["rank", "score", "book"]


@extend_schema(parameters=[OpenApiParameter("book_id", int, OpenApiParameter.PATH)])
class SimilarBooksView(generics.ListAPIView):
    """Titles near a book, the nearest first."""

    queryset = SimilarBook.objects.select_related("other__category").order_by("rank")
    serializer_class = SimilarBookSerializer
    filter_backends: list[type] = []

    def get_queryset(self) -> QuerySet[SimilarBook]:
        return super().get_queryset().filter(book=self.kwargs["book_id"])

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        get_object_or_404(Book.objects.only("pk"), pk=self.kwargs["book_id"])
        return super().list(request, *args, **kwargs)


router = SimpleRouter()
router.register("suggestions", SuggestionViewSet)
router.register("recommendations", RecommendationViewSet)

urlpatterns = [
    *router.urls,
    path("books/<int:book_id>/similar/", SimilarBooksView.as_view(), name="book-similar"),
]
