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
from library.people.api.audit import Action, AuditedViewSet
from library.people.models import Borrower
from library.people.selectors import without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated
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
    """The queues. A refusal is a 409 with all reasons in `extra.reasons`."""

    queryset = without_personal_data(Hold.objects.select_related("book", "copy", "pickup_branch"))
    serializer_class = HoldSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = HoldFilter
    filter_backends = FILTERS
    found_by = HOLDS_FOUND_BY
    ordering_fields = ["placed_at", "position", "ready_at"]

    @extend_schema(request=PlaceHoldSerializer, responses={201: HoldSerializer})
    @transaction.atomic
    def create(self, request: Request) -> Response:
        """Put a borrower at the end of the queue for a title."""
        given = validated(PlaceHoldSerializer, request)
        hold = place_hold(
            book=given["book"],
            borrower=given["card_number"],
            pickup_branch=given["pickup_branch"],
            now=timezone.now(),
        )
        return self._answer(hold, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def cancel(self, request: Request, pk: str) -> Response:
        """Take a hold out of the queue; a copy on the hold shelf goes to the next."""
        hold = self.get_object()
        cancel_hold(hold=hold, now=timezone.now())
        return self._answer(hold)

    @extend_schema(request=SuspendHoldSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def suspend(self, request: Request, pk: str) -> Response:
        """Let a hold step aside without losing its place, until a day or until it is resumed."""
        hold = self.get_object()
        until = validated(SuspendHoldSerializer, request)["until"]
        suspend_hold(hold=hold, until=until, now=timezone.now())
        return self._answer(hold)

    @extend_schema(request=None, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def resume(self, request: Request, pk: str) -> Response:
        """Let a suspended hold wait again, in the place it had."""
        hold = self.get_object()
        resume_hold(hold=hold, now=timezone.now())
        return self._answer(hold)

    @extend_schema(request=ReorderHoldSerializer, responses=HoldSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def reorder(self, request: Request, pk: str) -> Response:
        """Move a hold to another place in the queue."""
        hold = self.get_object()
        position = validated(ReorderHoldSerializer, request)["position"]
        reorder_hold(hold=hold, position=position, now=timezone.now())
        return self._answer(hold)

    def _answer(self, hold: Hold, code: int = status.HTTP_200_OK) -> Response:
        """Answer with the hold as it now stands, and write down that it was changed."""
        self.audit(Action.CHANGED, object_key=hold.pk)
        return Response(self.get_serializer(self.get_queryset().get(pk=hold.pk)).data, status=code)
