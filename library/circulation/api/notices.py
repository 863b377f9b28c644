"""Notices in the REST API, read-only."""

import django_filters
from rest_framework import serializers

from library.catalogue.api.lookup import FILTERS
from library.circulation.models import Notice
from library.circulation.selectors.lookup import NOTICES_FOUND_BY
from library.people.api.audit import AuditedViewSet
from library.people.selectors import without_personal_data
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet


class NoticeSerializer(serializers.ModelSerializer):
    card_number = serializers.CharField(source="borrower.card_number", read_only=True, default=None)

    class Meta:
        model = Notice
        fields = [
            "id",
            "kind",
            "state",
            "loan",
            "hold",
            "card_number",
            "occasion",
            "claimed_at",
            "attempts",
            "sent_at",
            "problem",
        ]


class NoticeFilter(django_filters.FilterSet):
    loan = django_filters.NumberFilter(field_name="loan_id")
    hold = django_filters.NumberFilter(field_name="hold_id")

    class Meta:
        model = Notice
        fields = ["kind", "state"]


class NoticeViewSet(AuditedViewSet, ReadViewSet):
    """Notices sent to borrowers, and notices to print."""

    queryset = without_personal_data(
        without_personal_data(Notice.objects.all(), at="loan__borrower"), at="hold__borrower"
    )
    serializer_class = NoticeSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = NoticeFilter
    filter_backends = FILTERS
    lookups = NOTICES_FOUND_BY
    ordering_fields = ["claimed_at", "sent_at"]
