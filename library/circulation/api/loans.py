"""Loans in the REST API: for those who may see who borrows what."""

from typing import Any

import django_filters
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Branch, Copy
from library.circulation.models import Loan
from library.circulation.selectors.lookup import LOANS_FOUND_BY
from library.circulation.selectors.overdue import is_overdue
from library.circulation.services.checkin import CheckinResult, checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.reconciliation import settle_loans
from library.circulation.services.renewals import reasons_against_renewing, renew
from library.circulation.services.transits import Action as Destination
from library.people.api.audit import Action, AuditedRecordViewSet
from library.people.models import Borrower
from library.people.selectors import without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import RecordSerializer, validated
from library.rest.views import RecordViewSet


class LoanSerializer(RecordSerializer):
    # Null is read of a loan that is forgotten, and never written.
    borrower = serializers.PrimaryKeyRelatedField(queryset=Borrower.objects.all())
    barcode = serializers.CharField(source="copy.barcode", read_only=True)
    card_number = serializers.CharField(source="borrower.card_number", read_only=True, default=None)
    book = serializers.IntegerField(source="copy.book_id", read_only=True)
    title = serializers.CharField(source="copy.book.title", read_only=True)

    class Meta:
        model = Loan
        fields = [
            "id",
            "copy",
            "barcode",
            "book",
            "title",
            "borrower",
            "card_number",
            "borrowed_at",
            "due_at",
            "returned_at",
            "renewals",
            "lost_at",
            "branch",
        ]
        read_only_fields = ["lost_at"]

    def validate_borrower(self, borrower: Borrower) -> Borrower:
        if self.instance is not None and self.instance.borrower_id is None:
            raise serializers.ValidationError(_("It is forgotten who had this loan, and stays so."))
        return borrower

    def update(self, instance: Loan, validated_data: dict[str, Any]) -> Loan:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Only what was changed: the borrower may be forgotten meanwhile.
        instance.save(update_fields=validated_data.keys())
        return instance


class AtBranchSerializer(serializers.Serializer):
    branch = serializers.SlugRelatedField(
        slug_field="code", queryset=Branch.objects.all(), required=False, allow_null=True, default=None
    )


class DeskSerializer(AtBranchSerializer):
    """A copy at a desk, by what is printed on it."""

    barcode = serializers.SlugRelatedField(slug_field="barcode", queryset=Copy.objects.all())


class CheckoutSerializer(DeskSerializer):
    card_number = serializers.SlugRelatedField(slug_field="card_number", queryset=Borrower.objects.all())


class CheckinResultSerializer(serializers.Serializer):
    """What to do with the copy."""

    action = serializers.ChoiceField(choices=[action.value for action in Destination])
    destination = serializers.CharField(source="destination.code", default=None, allow_null=True)
    hold = serializers.IntegerField(source="hold.pk", default=None, allow_null=True)
    loan = LoanSerializer(read_only=True, allow_null=True)
    fine = serializers.DecimalField(max_digits=8, decimal_places=2)


class ReasonSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()


class AllowsRenewalSerializer(serializers.Serializer):
    allows_renewal = serializers.BooleanField()
    reasons = ReasonSerializer(many=True, help_text="All that stand in the way.")
    renewals = serializers.IntegerField()
    renewals_allowed = serializers.IntegerField(allow_null=True)


class LoanFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    copy = django_filters.NumberFilter(field_name="copy_id")
    book = django_filters.NumberFilter(field_name="copy__book_id")
    open = django_filters.BooleanFilter(field_name="returned_at", lookup_expr="isnull")
    overdue = django_filters.BooleanFilter(method="only_overdue", label="Past due, and the copy still out")
    borrowed_at = django_filters.IsoDateTimeFromToRangeFilter()

    class Meta:
        model = Loan
        fields: list[str] = []

    def only_overdue(self, queryset: QuerySet[Loan], name: str, value: bool) -> QuerySet[Loan]:
        late = is_overdue(now=timezone.now())
        return queryset.filter(late if value else ~late)


class LoanViewSet(AuditedRecordViewSet, RecordViewSet):
    queryset = without_personal_data(Loan.objects.select_related("copy__book"))
    serializer_class = LoanSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = LoanFilter
    filter_backends = FILTERS
    found_by = LOANS_FOUND_BY
    ordering_fields = ["borrowed_at", "due_at", "returned_at"]

    def perform_update(self, serializer: BaseSerializer) -> None:
        before: Any = serializer.instance
        copy_id, was_out = before.copy_id, before.returned_at is None
        loan = serializer.save()
        settle_loans(
            returned=[loan] if was_out and loan.returned_at else [], copy_ids={copy_id, loan.copy_id}
        )

    @extend_schema(request=CheckoutSerializer, responses={201: LoanSerializer})
    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Check a copy out to a borrower. A refusal is a 409 with all reasons in `extra.reasons`."""
        given = validated(CheckoutSerializer, request)
        loan = checkout(
            copy=given["barcode"],
            borrower=given["card_number"],
            branch=given["branch"],
            now=timezone.now(),
        )
        self.audit(Action.CHANGED, object_key=loan.pk)
        return Response(self.get_serializer(loan).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=DeskSerializer, responses=CheckinResultSerializer, operation_id="loans_checkin_copy_create"
    )
    @action(detail=False, methods=["post"], url_path="checkin")
    @transaction.atomic
    def checkin_copy(self, request: Request) -> Response:
        """Take a copy back by its barcode, lent or only found lying about, and say where it goes."""
        given = validated(DeskSerializer, request)
        return self._taken_back(checkin(copy=given["barcode"], branch=given["branch"], now=timezone.now()))

    @extend_schema(request=AtBranchSerializer, responses=CheckinResultSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def checkin(self, request: Request, pk: str) -> Response:
        """Take back the copy of this loan, and say where it goes."""
        loan = self.get_object()
        branch = validated(AtBranchSerializer, request)["branch"]
        return self._taken_back(checkin(copy=loan.copy, branch=branch, now=timezone.now(), loan=loan))

    def _taken_back(self, result: CheckinResult) -> Response:
        if result.loan:
            self.audit(Action.CHANGED, object_key=result.loan.pk)
        return Response(CheckinResultSerializer(result).data)

    @extend_schema(responses=AllowsRenewalSerializer)
    @action(detail=True, methods=["get"])
    def allows_renewal(self, request: Request, pk: str) -> Response:
        """Say whether the loan could be renewed now, and all that stands in the way; nothing is changed."""
        loan = self.get_object()
        reasons = reasons_against_renewing(loan=loan, now=timezone.now())
        self.audit(Action.VIEWED, object_key=loan.pk)
        told = {"allows_renewal": not reasons, "reasons": reasons}
        told |= {"renewals": loan.renewals, "renewals_allowed": loan.renewals_allowed}
        return Response(AllowsRenewalSerializer(told).data)

    @extend_schema(request=None, responses=LoanSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def renew(self, request: Request, pk: str) -> Response:
        """Let the borrower keep the copy longer. A refusal is a 409 with all reasons in `extra.reasons`."""
        loan = renew(loan=self.get_object(), now=timezone.now())
        self.audit(Action.CHANGED, object_key=loan.pk)
        return Response(self.get_serializer(loan).data)
