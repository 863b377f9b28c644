"""The ledger of fines in the REST API: read, and added to by paying and waiving."""

from typing import Any

import django_filters
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from library.catalogue.api.lookup import FILTERS
from library.circulation.models import FineEntry, Loan
from library.circulation.selectors.lookup import FINES_FOUND_BY
from library.circulation.services.fines import pay_fine, waive_fine
from library.people.api.audit import Action, AuditedViewSet
from library.people.selectors import without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated
from library.rest.views import ReadViewSet


class FineEntrySerializer(serializers.ModelSerializer):
    card_number = serializers.CharField(source="borrower.card_number", read_only=True, default=None)
    title = serializers.CharField(source="loan.copy.book.title", read_only=True, default=None)

    class Meta:
        model = FineEntry
        fields = ["id", "loan", "title", "borrower", "card_number", "kind", "amount", "reason", "at"]


class PaymentSerializer(serializers.Serializer):
    loan = serializers.PrimaryKeyRelatedField(
        queryset=Loan.objects.select_related("copy").filter(borrower__isnull=False)
    )
    amount = serializers.DecimalField(max_digits=8, decimal_places=2)


class WaiverSerializer(PaymentSerializer):
    # An empty one is refused by the service, with its code.
    reason = serializers.CharField(max_length=200, allow_blank=True)


class FineFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    card_number = django_filters.CharFilter(field_name="borrower__card_number")
    loan = django_filters.NumberFilter(field_name="loan_id")

    class Meta:
        model = FineEntry
        fields = ["kind"]


class FineViewSet(AuditedViewSet, ReadViewSet):
    """The ledger. A refusal is a 409 with all reasons in `extra.reasons`."""

    queryset = without_personal_data(FineEntry.objects.select_related("loan__copy__book"))
    serializer_class = FineEntrySerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = FineFilter
    filter_backends = FILTERS
    found_by = FINES_FOUND_BY
    ordering_fields = ["at", "amount"]

    @extend_schema(request=PaymentSerializer, responses={201: FineEntrySerializer})
    @action(detail=False, methods=["post"])
    @transaction.atomic
    def pay(self, request: Request) -> Response:
        """Take a payment for what is owed for a loan."""
        given = validated(PaymentSerializer, request)
        return self._answer(pay_fine(**given, now=timezone.now()))

    @extend_schema(request=WaiverSerializer, responses={201: FineEntrySerializer})
    @action(detail=False, methods=["post"])
    @transaction.atomic
    def waive(self, request: Request) -> Response:
        """Let a borrower off what is owed for a loan, or part of it, with a reason."""
        given: dict[str, Any] = validated(WaiverSerializer, request)
        return self._answer(waive_fine(**given, now=timezone.now()))

    def _answer(self, entry: FineEntry) -> Response:
        self.audit(Action.CHANGED, object_key=entry.pk)
        return Response(self.get_serializer(entry).data, status=status.HTTP_201_CREATED)
