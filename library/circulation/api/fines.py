"""Fines in the REST API: read the ledger, record payments and waivers."""

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
from library.people.api.audit import AuditedViewSet
from library.people.selectors import without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated_body
from library.rest.views import ReadViewSet


class FineEntrySerializer(serializers.ModelSerializer):
    card_number = serializers.CharField(source="borrower.card_number", read_only=True, default=None)
    title = serializers.CharField(source="loan.copy.book.title", read_only=True, default=None)

    class Meta:
        model = FineEntry
        fields = ["id", "loan", "title", "borrower", "card_number", "kind", "amount", "reason", "created_at"]


class PaymentSerializer(serializers.Serializer):
    loan = serializers.PrimaryKeyRelatedField(
        queryset=Loan.objects.select_related("copy").filter(borrower__isnull=False)
    )
    amount = serializers.DecimalField(max_digits=8, decimal_places=2)


class WaiverSerializer(PaymentSerializer):
    # The service refuses a blank reason, with its own code.
    reason = serializers.CharField(max_length=200, allow_blank=True)


class FineFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    card_number = django_filters.CharFilter(field_name="borrower__card_number")
    loan = django_filters.NumberFilter(field_name="loan_id")

    class Meta:
        model = FineEntry
        fields = ["kind"]


class FineViewSet(AuditedViewSet, ReadViewSet):
    """The ledger of fines. A refusal is a 409 with all reasons in `extra.reasons`."""

    queryset = without_personal_data(FineEntry.objects.select_related("loan__copy__book"))
    serializer_class = FineEntrySerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = FineFilter
    filter_backends = FILTERS
    lookups = FINES_FOUND_BY
    ordering_fields = ["created_at", "amount"]

    @extend_schema(request=PaymentSerializer, responses={201: FineEntrySerializer})
    @action(detail=False, methods=["post"])
    @transaction.atomic
    def pay(self, request: Request) -> Response:
        """Record a payment of all or part of the balance of a loan."""
        payment = validated_body(PaymentSerializer, request)
        return self.changed_response(pay_fine(**payment, now=timezone.now()), status=status.HTTP_201_CREATED)

    @extend_schema(request=WaiverSerializer, responses={201: FineEntrySerializer})
    @action(detail=False, methods=["post"])
    @transaction.atomic
    def waive(self, request: Request) -> Response:
        """Waive all or part of the balance of a loan, with a reason."""
        waiver: dict[str, Any] = validated_body(WaiverSerializer, request)
        return self.changed_response(waive_fine(**waiver, now=timezone.now()), status=status.HTTP_201_CREATED)
