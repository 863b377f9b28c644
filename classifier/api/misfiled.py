"""Possibly misfiled books in the REST API: why, dismissed, moved."""

import django_filters
from django.db.models import F
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.suggestions import EvidenceField, MayFileBooks
from classifier.models import Misfiled
from classifier.services.review.misfiled import dismiss, move
from library.admin_site.users import signed_in
from library.catalogue.api import BookSerializer
from library.catalogue.api.lookup import FILTERS
from library.catalogue.selectors.lookup import titles_called
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet


class MayDismiss(BasePermission):
    """What a person says of it changes the row."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("classifier.change_misfiled")


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
    """Books that a person or an import filed and the model, not told where, would file elsewhere."""

    queryset = Misfiled.objects.filter(filed=F("book__category")).select_related("book", "model_version")
    serializer_class = MisfiledSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = MisfiledFilter
    filter_backends = FILTERS
    found_by = {"book": titles_called}
    ordering_fields = ["probability", "found_at"]

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], permission_classes=[MayDismiss])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Say that the book is filed rightly: it is listed no more as long as it is filed there."""
        dismiss(misfiled=self.get_object(), now=timezone.now(), user=signed_in(request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=BookSerializer)
    @action(detail=True, methods=["post"], permission_classes=[MayFileBooks])
    def move(self, request: Request, pk: str) -> Response:
        """File the book where the model says, as the librarian's own decision."""
        book = move(misfiled=self.get_object(), reviewer=signed_in(request.user), now=timezone.now())
        return Response(BookSerializer(book, context=self.get_serializer_context()).data)
