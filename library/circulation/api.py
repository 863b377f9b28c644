"""Loans in the REST API: for those who may see who borrows what."""

import django_filters
from rest_framework import serializers
from rest_framework.routers import SimpleRouter

from library.circulation.models import Loan
from library.people.audit_api import AuditedViewSet
from library.rest.permissions import PersonalDataPermissions
from library.rest.serializers import RecordSerializer
from library.rest.views import RecordViewSet


class LoanSerializer(RecordSerializer):
    barcode = serializers.CharField(source="copy.barcode", read_only=True)
    card_number = serializers.CharField(source="borrower.card_number", read_only=True)
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
        ]


class LoanFilter(django_filters.FilterSet):
    borrower = django_filters.NumberFilter(field_name="borrower_id")
    copy = django_filters.NumberFilter(field_name="copy_id")
    book = django_filters.NumberFilter(field_name="copy__book_id")
    open = django_filters.BooleanFilter(field_name="returned_at", lookup_expr="isnull")
    borrowed_at = django_filters.IsoDateTimeFromToRangeFilter()

    class Meta:
        model = Loan
        fields: list[str] = []


class LoanViewSet(AuditedViewSet, RecordViewSet):
    queryset = Loan.objects.select_related("copy__book", "borrower")
    serializer_class = LoanSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_class = LoanFilter
    search_fields = ["copy__barcode", "copy__book__title", "borrower__card_number"]
    ordering_fields = ["borrowed_at", "due_at", "returned_at"]


router = SimpleRouter()
router.register("loans", LoanViewSet)

urlpatterns = router.urls
