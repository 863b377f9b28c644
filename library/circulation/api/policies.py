"""Loan policies and closed days in the REST API."""

import django_filters
from rest_framework import serializers

from library.circulation.models import ClosedDay, LoanPolicy
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import RecordSerializer
from library.rest.views import RecordViewSet


class LoanPolicySerializer(RecordSerializer):
    class Meta:
        model = LoanPolicy
        fields = [
            "id",
            "branch",
            "borrower_category",
            "item_type",
            "loan_days",
            "max_loans",
            "renewals_allowed",
            "renewal_days",
            "holds_allowed",
            "fine_per_day",
            "grace_days",
            "fine_cap",
        ]


class LoanPolicyFilter(django_filters.FilterSet):
    branch = django_filters.NumberFilter(field_name="branch_id")
    borrower_category = django_filters.NumberFilter(field_name="borrower_category_id")
    item_type = django_filters.NumberFilter(field_name="item_type_id")

    class Meta:
        model = LoanPolicy
        fields: list[str] = []


class LoanPolicyViewSet(RecordViewSet):
    """Loan policies: periods, limits and fines; a null key matches any."""

    queryset = LoanPolicy.objects.all()
    serializer_class = LoanPolicySerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = LoanPolicyFilter
    ordering_fields = ["id"]


class ClosedDaySerializer(RecordSerializer):
    branch_code = serializers.CharField(source="branch.code", read_only=True, default=None)

    class Meta:
        model = ClosedDay
        fields = ["id", "branch", "branch_code", "date"]


class ClosedDayFilter(django_filters.FilterSet):
    branch = django_filters.NumberFilter(field_name="branch_id")
    date = django_filters.DateFromToRangeFilter()

    class Meta:
        model = ClosedDay
        fields: list[str] = []


class ClosedDayViewSet(RecordViewSet):
    """Days on which no loan falls due; a null branch means all branches."""

    queryset = ClosedDay.objects.select_related("branch")
    serializer_class = ClosedDaySerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = ClosedDayFilter
    ordering_fields = ["date"]
