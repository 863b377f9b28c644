"""The catalogue in the REST API: anyone signed in reads, librarians write."""

from typing import Any

import django_filters
from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.routers import SimpleRouter

from library.catalogue.models import Book, Branch, Category, Copy, ItemType
from library.catalogue.services import check_open, librarian_source
from library.rest.serializers import RecordSerializer
from library.rest.views import RecordViewSet


class BranchSerializer(RecordSerializer):
    class Meta:
        model = Branch
        fields = ["id", "code", "name"]


class ItemTypeSerializer(RecordSerializer):
    class Meta:
        model = ItemType
        fields = ["id", "code", "name"]


class CategorySerializer(RecordSerializer):
    class Meta:
        model = Category
        fields = ["id", "scheme", "notation", "label_en", "label_zh", "parent", "retired_at", "replaced_by"]
        read_only_fields = ["retired_at", "replaced_by"]

    def validate_parent(self, parent: Category | None) -> Category | None:
        if self.instance and parent != self.instance.parent:
            raise serializers.ValidationError(
                _("A category moves by a taxonomy change: POST /api/v1/taxonomy-changes/apply/.")
            )
        return parent


class BookSerializer(RecordSerializer):
    category_notation = serializers.CharField(source="category.notation", read_only=True, default=None)

    class Meta:
        model = Book
        fields = [
            "id",
            "control_number",
            "title",
            "subtitle",
            "authors",
            "publisher",
            "year",
            "language",
            "isbn",
            "description",
            "cover",
            "audio",
            "category",
            "category_notation",
            "category_source",
            "created_at",
        ]
        # Covers and recordings come in by import or on the admin's page, where files are checked.
        read_only_fields = ["cover", "audio", "category_source", "created_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        before = self.instance.category if self.instance else None
        if "category" in attrs and attrs["category"] != before:
            attrs["category_source"] = librarian_source(category=attrs["category"])
        return super().validate(attrs)

    @transaction.atomic
    def save(self, **kwargs: Any) -> Book:
        book = super().save(**kwargs)
        check_open(categories=[book.category_id])
        return book


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


class BookFilter(django_filters.FilterSet):
    category = django_filters.NumberFilter(field_name="category_id")
    notation = django_filters.CharFilter(field_name="category__notation")
    uncategorised = django_filters.BooleanFilter(field_name="category", lookup_expr="isnull")
    year = django_filters.RangeFilter()

    class Meta:
        model = Book
        fields = ["language", "category_source", "isbn"]


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


class CategoryViewSet(RecordViewSet):
    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    filterset_fields = {"scheme": ["exact"], "notation": ["exact", "startswith"], "retired_at": ["isnull"]}
    search_fields = ["notation", "label_en", "label_zh"]
    ordering_fields = ["notation", "label_en", "label_zh"]


class BookViewSet(RecordViewSet):
    queryset = Book.objects.select_related("category")
    serializer_class = BookSerializer
    filterset_class = BookFilter
    search_fields = ["title", "subtitle", "authors", "isbn", "control_number"]
    ordering_fields = ["control_number", "title", "year", "created_at"]


class CopyFilter(django_filters.FilterSet):
    book = django_filters.NumberFilter(field_name="book_id")

    class Meta:
        model = Copy
        fields = ["barcode", "branch", "item_type", "status"]


class CopyViewSet(RecordViewSet):
    queryset = Copy.objects.all()
    serializer_class = CopySerializer
    filterset_class = CopyFilter
    search_fields = ["barcode"]
    ordering_fields = ["barcode"]


router = SimpleRouter()
router.register("categories", CategoryViewSet)
router.register("books", BookViewSet)
router.register("copies", CopyViewSet)
router.register("branches", BranchViewSet)
router.register("item-types", ItemTypeViewSet)

urlpatterns = router.urls
