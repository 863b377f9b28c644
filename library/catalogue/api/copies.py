"""Copies, branches and item types in the REST API."""

import django_filters

from library.catalogue.api.lookup import FILTERS
from library.catalogue.models import Branch, Copy, ItemType
from library.catalogue.selectors.lookup import copies_by_barcode_or_call_number, search_titles
from library.rest.schema.examples import example
from library.rest.serializers import RecordSerializer
from library.rest.views import RecordViewSet


@example("a branch", {"id": 1, "code": "main", "name": "Main library"}, request_fields=["code", "name"])
class BranchSerializer(RecordSerializer):
    class Meta:
        model = Branch
        fields = ["id", "code", "name"]


@example("an item type", {"id": 2, "code": "film", "name": "Film"}, request_fields=["code", "name"])
class ItemTypeSerializer(RecordSerializer):
    class Meta:
        model = ItemType
        fields = ["id", "code", "name"]


@example(
    "a copy",
    {
        "id": 31, "barcode": "K0031", "book": 7, "branch": 1, "item_type": None, "shelf_location": "2nd",
        "call_number": "QC 355", "status": "available", "last_seen_at": "2026-01-31T09:00:00Z",
        "checkouts": 4, "renewals": 1,
    },
    request_fields=["barcode", "book", "branch", "call_number"],
)  # fmt: skip
class CopySerializer(RecordSerializer):
    class Meta:
        model = Copy
        fields = [
            "id",
            "barcode",
            "book",
            "branch",
            "item_type",
            "shelf_location",
            "call_number",
            "status",
            "last_seen_at",
            "checkouts",
            "renewals",
        ]
        # Circulation writes these.
        read_only_fields = ["status", "last_seen_at", "checkouts", "renewals"]


class BranchViewSet(RecordViewSet):
    queryset = Branch.objects.all()
    serializer_class = BranchSerializer
    filterset_fields = ["code"]
    search_fields = ["code", "name"]
    ordering_fields = ["code", "name"]


class ItemTypeViewSet(RecordViewSet):
    queryset = ItemType.objects.all()
    serializer_class = ItemTypeSerializer
    filterset_fields = ["code"]
    search_fields = ["code", "name"]
    ordering_fields = ["code", "name"]


class CopyFilter(django_filters.FilterSet):
    book = django_filters.NumberFilter(field_name="book_id")

    class Meta:
        model = Copy
        fields = ["barcode", "branch", "item_type", "status"]


class CopyViewSet(RecordViewSet):
    queryset = Copy.objects.all()
    serializer_class = CopySerializer
    filterset_class = CopyFilter
    filter_backends = FILTERS
    lookups = {"pk": copies_by_barcode_or_call_number, "book": search_titles}
    ordering_fields = ["barcode"]
