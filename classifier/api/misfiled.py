"""Possible misfiles in the REST API: read, dismiss, move."""

import django_filters
from django.db.models import F
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.permissions import CanDismissMisfiled, CanFileBooks
from classifier.api.suggestions import EvidenceField
from classifier.models import Misfiled
from classifier.services.review.misfiled import dismiss, move
from library.admin_site.users import signed_in
from library.catalogue.api import BookSerializer
from library.catalogue.api.lookup import FILTERS
from library.catalogue.selectors.lookup import search_titles
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet


class MisfiledSerializer(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title", read_only=True)
    model_version = serializers.CharField(source="model_version.name", read_only=True, default=None)
    evidence = EvidenceField(read_only=True)

    class Meta:
        model = Misfiled
        fields = [
            "id",
            "book",
            "title",
            "filed",
            "filed_probability",
            "category",
            "probability",
            "evidence",
            "model_version",
            "found_at",
            "dismissed_at",
        ]


class MisfiledFilter(django_filters.FilterSet):
    book = django_filters.NumberFilter(field_name="book_id")
    filed = django_filters.NumberFilter(field_name="filed_id")
    category = django_filters.NumberFilter(field_name="category_id")
    probability = django_filters.RangeFilter()
    language = django_filters.CharFilter(field_name="book__language")
    category_source = django_filters.CharFilter(field_name="book__category_source")
    dismissed = django_filters.BooleanFilter(field_name="dismissed_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Misfiled
        fields: list[str] = []


class MisfiledViewSet(ReadViewSet):
    """Books filed by a person or an import for which out-of-fold predictions suggest another category."""

    queryset = Misfiled.objects.filter(filed=F("book__category")).select_related("book", "model_version")
    serializer_class = MisfiledSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = MisfiledFilter
    filter_backends = FILTERS
    lookups = {"book": search_titles}
    ordering_fields = ["probability", "found_at"]

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[CanDismissMisfiled])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Confirm the current category. The book is not listed again while it is filed there."""
        dismiss(misfiled=self.get_object(), now=timezone.now(), user=signed_in(request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=BookSerializer)
    @action(detail=True, methods=["post"], permission_classes=[CanFileBooks])
    def move(self, request: Request, pk: str) -> Response:
        """File the book under the predicted category, as a librarian's decision."""
        book = move(misfiled=self.get_object(), reviewer=signed_in(request.user), now=timezone.now())
        return Response(BookSerializer(book, context=self.get_serializer_context()).data)
