"""Holds in the REST API."""

import django_filters
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Book, Branch
from library.circulation.models import Hold
from library.circulation.selectors.lookup import HOLDS_FOUND_BY
from library.circulation.services.holds import (
    cancel_hold,
    place_hold,
    reorder_hold,
    resume_hold,
    suspend_hold,
)
from library.people.api.audit import AuditedViewSet
from library.people.models import Borrower
from library.people.selectors import without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated_body
from library.rest.views import ReadViewSet


class HoldSerializer(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title", read_only=True)
    card_number = serializers.CharField(source="borrower.card_number", read_only=True, default=None)
    barcode = serializers.CharField(source="copy.barcode", read_only=True, default=None)
    pickup_branch = serializers.CharField(source="pickup_branch.code", read_only=True, default=None)

    class Meta:
        model = Hold
        fields = [
            "id",
            "book",
            "title",
            "borrower",
            "card_number",
            "pickup_branch",
            "placed_at",
            "position",
            "status",
            "barcode",
            "ready_at",
            "suspended_until",
        ]


class PlaceHoldSerializer(serializers.Serializer):
    book = serializers.PrimaryKeyRelatedField(queryset=Book.objects.all())
    card_number = serializers.SlugRelatedField(slug_field="card_number", queryset=Borrower.objects.all())
    pickup_branch = serializers.SlugRelatedField(
        slug_field="code", queryset=Branch.objects.all(), required=False, allow_null=True, default=None
    )


class SuspendHoldSerializer(serializers.Serializer):
    until = serializers.DateField(required=False, allow_null=True, default=None)


class ReorderHoldSerializer(serializers.Serializer):
    position = serializers.IntegerField(min_value=1)


class HoldFilter(django_filters.FilterSet):
    book = django_filters.NumberFilter(field_name="book_id")
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    card_number = django_filters.CharFilter(field_name="borrower__card_number")

    class Meta:
        model = Hold
        fields = ["status"]


class HoldViewSet(AuditedViewSet, ReadViewSet):
    """Hold queues. A refusal is a 409 with all reasons in `extra.reasons`."""

    queryset = without_personal_data(Hold.objects.select_related("book", "copy", "pickup_branch"))
    serializer_class = HoldSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = HoldFilter
    filter_backends = FILTERS
    lookups = HOLDS_FOUND_BY
    ordering_fields = ["placed_at", "position", "ready_at"]

    @extend_schema(request=PlaceHoldSerializer, responses={201: HoldSerializer})
    @transaction.atomic
    def create(self, request: Request) -> Response:
        """Place a hold at the end of the queue for a title."""
        data = validated_body(PlaceHoldSerializer, request)
        hold = place_hold(
            book=data["book"],
            borrower=data["card_number"],
            pickup_branch=data["pickup_branch"],
            now=timezone.now(),
        )
        return self._respond(hold, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a hold; its copy on the hold shelf goes to the next hold."""
        hold = self.get_object()
        cancel_hold(hold=hold, now=timezone.now())
        return self._respond(hold)

    @extend_schema(request=SuspendHoldSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def suspend(self, request: Request, pk: str) -> Response:
        """Suspend a hold until a date or until it is resumed; it keeps its place in the queue."""
        hold = self.get_object()
        until = validated_body(SuspendHoldSerializer, request)["until"]
        suspend_hold(hold=hold, until=until, now=timezone.now())
        return self._respond(hold)

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a suspended hold in its place in the queue."""
        hold = self.get_object()
        resume_hold(hold=hold, now=timezone.now())
        return self._respond(hold)

    @extend_schema(request=ReorderHoldSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def reorder(self, request: Request, pk: str) -> Response:
        """Move a hold to another position in the queue."""
        hold = self.get_object()
        position = validated_body(ReorderHoldSerializer, request)["position"]
        reorder_hold(hold=hold, position=position, now=timezone.now())
        return self._respond(hold)

    def _respond(self, hold: Hold, code: int = status.HTTP_200_OK) -> Response:
        # Read again: the change may have assigned or released a copy.
        return self.changed_response(self.get_queryset().get(pk=hold.pk), status=code)
