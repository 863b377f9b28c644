"""Loans in the REST API, for users who may see borrowers' loans."""

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
from library.circulation.services.reconciliation import reconcile_loans
from library.circulation.services.renewals import renew, renewal_blocks
from library.circulation.services.transits import Action as Destination
from library.people.api.audit import Action, AuditedRecordViewSet
from library.people.models import Borrower
from library.people.selectors import without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import RecordSerializer, validated_body
from library.rest.views import RecordViewSet


class LoanSerializer(RecordSerializer):
    # Null for an anonymised loan; null cannot be written.
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
            raise serializers.ValidationError(
                _("This loan has been anonymised; a borrower cannot be assigned to it.")
            )
        return borrower

    def update(self, instance: Loan, validated_data: dict[str, Any]) -> Loan:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        # Only changed fields: the loan may be anonymised at the same time.
        instance.save(update_fields=validated_data.keys())
        return instance


class AtBranchSerializer(serializers.Serializer):
    branch = serializers.SlugRelatedField(
        slug_field="code", queryset=Branch.objects.all(), required=False, allow_null=True, default=None
    )


class DeskSerializer(AtBranchSerializer):
    """A copy at a desk, identified by its barcode."""

    barcode = serializers.SlugRelatedField(slug_field="barcode", queryset=Copy.objects.all())


class CheckoutSerializer(DeskSerializer):
    card_number = serializers.SlugRelatedField(slug_field="card_number", queryset=Borrower.objects.all())


class CheckinResultSerializer(serializers.Serializer):
    """Outcome of a check-in: where the copy goes next."""

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
    reasons = ReasonSerializer(many=True, help_text="All reasons against a renewal.")
    renewals = serializers.IntegerField()
    renewals_allowed = serializers.IntegerField(allow_null=True)


class LoanFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    copy = django_filters.NumberFilter(field_name="copy_id")
    book = django_filters.NumberFilter(field_name="copy__book_id")
    open = django_filters.BooleanFilter(field_name="returned_at", lookup_expr="isnull")
    overdue = django_filters.BooleanFilter(method="only_overdue", label="Past due and not returned")
    borrowed_at = django_filters.IsoDateTimeFromToRangeFilter()

    class Meta:
        model = Loan
        fields: list[str] = []

    def only_overdue(self, queryset: QuerySet[Loan], name: str, value: bool) -> QuerySet[Loan]:
        overdue = is_overdue(now=timezone.now())
        return queryset.filter(overdue if value else ~overdue)


class LoanViewSet(AuditedRecordViewSet, RecordViewSet):
    queryset = without_personal_data(Loan.objects.select_related("copy__book"))
    serializer_class = LoanSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = LoanFilter
    filter_backends = FILTERS
    lookups = LOANS_FOUND_BY
    ordering_fields = ["borrowed_at", "due_at", "returned_at"]

    def perform_update(self, serializer: BaseSerializer) -> None:
        before: Any = serializer.instance
        copy_id, was_open = before.copy_id, before.returned_at is None
        loan = serializer.save()
        reconcile_loans(
            returned=[loan] if was_open and loan.returned_at else [], copy_ids={copy_id, loan.copy_id}
        )

    @extend_schema(request=CheckoutSerializer, responses={201: LoanSerializer})
    @transaction.atomic
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Check out a copy to a borrower. A refusal is a 409 with all reasons in `extra.reasons`."""
        data = validated_body(CheckoutSerializer, request)
        loan = checkout(
            copy=data["barcode"],
            borrower=data["card_number"],
            branch=data["branch"],
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
        """Check in a copy by its barcode, on loan or not, and return where it goes next."""
        data = validated_body(DeskSerializer, request)
        return self._checked_in(checkin(copy=data["barcode"], branch=data["branch"], now=timezone.now()))

    @extend_schema(request=AtBranchSerializer, responses=CheckinResultSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def checkin(self, request: Request, pk: str) -> Response:
        """Check in the copy of this loan and return where it goes next."""
        loan = self.get_object()
        branch = validated_body(AtBranchSerializer, request)["branch"]
        return self._checked_in(checkin(copy=loan.copy, branch=branch, now=timezone.now(), loan=loan))

    def _checked_in(self, result: CheckinResult) -> Response:
        if result.loan:
            self.audit(Action.CHANGED, object_key=result.loan.pk)
        return Response(CheckinResultSerializer(result).data)

    @extend_schema(responses=AllowsRenewalSerializer)
    @action(detail=True, methods=["get"])
    def allows_renewal(self, request: Request, pk: str) -> Response:
        """Return whether the loan could be renewed now, with all reasons against it; change nothing."""
        loan = self.get_object()
        reasons = renewal_blocks(loan=loan, now=timezone.now())
        self.audit(Action.VIEWED, object_key=loan.pk)
        data = {
            "allows_renewal": not reasons,
            "reasons": reasons,
            "renewals": loan.renewals,
            "renewals_allowed": loan.renewals_allowed,
        }
        return Response(AllowsRenewalSerializer(data).data)

    @extend_schema(request=None, responses=LoanSerializer)
    @action(detail=True, methods=["post"])
    @transaction.atomic
    def renew(self, request: Request, pk: str) -> Response:
        """Renew the loan. A refusal is a 409 with all reasons in `extra.reasons`."""
        loan = renew(loan=self.get_object(), now=timezone.now())
        self.audit(Action.CHANGED, object_key=loan.pk)
        return Response(self.get_serializer(loan).data)
