"""Endpoints for borrowers and their categories; reading needs the view permission."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.filters import SearchFilter
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.people.api.audit import Action, AuditedRecordViewSet
from library.people.models import Borrower, BorrowerCategory
from library.people.selectors import export_borrower, search_borrowers
from library.people.services.borrowers import save_borrower
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.lists.filters import StableOrdering, StrictFilters
from library.rest.serializers import RecordSerializer
from library.rest.views import RecordViewSet


class BorrowerSerializer(RecordSerializer):
    class Meta:
        model = Borrower
        fields = [
            "id",
            "card_number",
            "name",
            "email",
            "phone",
            "address",
            "category",
            "blocked",
            "retention",
            "excluded_from_statistics",
        ]

    def create(self, validated_data: dict[str, Any]) -> Borrower:
        return self.update(Borrower(), validated_data)

    def update(self, instance: Borrower, validated_data: dict[str, Any]) -> Borrower:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        save_borrower(borrower=instance)
        return instance


class ExportPermission(BasePermission):
    """Demand the export permission: an export holds more than the borrower's record."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("people.export_borrower")


class BorrowerCategorySerializer(RecordSerializer):
    class Meta:
        model = BorrowerCategory
        fields = ["id", "code", "name"]


class BorrowerCategoryViewSet(RecordViewSet):
    queryset = BorrowerCategory.objects.all()
    serializer_class = BorrowerCategorySerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["code"]
    search_fields = ["code", "name"]
    ordering_fields = ["code", "name"]


class BorrowerSearch(SearchFilter):
    """Search by whole words of the name, card number, e-mail or phone, through the blind index."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: APIView) -> QuerySet:
        query = request.query_params.get(self.search_param, "")
        if not query.strip():
            return queryset
        return queryset.filter(pk__in=search_borrowers(query=query).values("pk"))


class BorrowerViewSet(AuditedRecordViewSet, RecordViewSet):
    queryset = Borrower.objects.all()
    serializer_class = BorrowerSerializer
    permission_classes = [PersonalDataPermissions]
    filter_backends = [StrictFilters, BorrowerSearch, StableOrdering]
    filterset_fields = ["card_number"]
    ordering_fields = ["card_number"]

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True, methods=["get"], permission_classes=[ExportPermission])
    def export(self, request: Request, pk: str) -> Response:
        """Everything stored about a borrower, for a data subject access request."""
        borrower = self.get_object()
        exported = export_borrower(borrower=borrower, now=timezone.now())
        self.audit(Action.EXPORTED, object_key=borrower.pk)
        return Response(exported)
