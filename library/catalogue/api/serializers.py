"""Serializers of books."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from library.catalogue.models import Book
from library.catalogue.selectors.books import availability
from library.catalogue.services import librarian_source, save_book
from library.rest.lists.sparse_fields import SparseFields
from library.rest.schema.examples import example
from library.rest.serializers import RecordSerializer

BOOK: dict[str, Any] = {
    "id": 7,
    "control_number": "ocm00012345",
    "title": "Optics",
    "subtitle": "A treatise of light",
    "authors": "Newton, Isaac",
    "publisher": "Dover",
    "year": 1952,
    "language": "en",
    "isbn": "9780486602059",
    "description": "Of reflections, refractions and colours.",
    "cover": "https://library.example/media/covers/3a/3a7b.jpg",
    "cover_small": "https://library.example/api/v1/books/7/cover/small/",
    "cover_large": "https://library.example/api/v1/books/7/cover/large/",
    "audio": None,
    "category": 12,
    "category_notation": "535",
    "category_source": "librarian",
    "created_at": "2026-01-31T09:00:00Z",
}
AVAILABILITY: dict[str, Any] = {
    "copies": 3,
    "available": 1,
    "branches": [
        {"branch": 1, "code": "main", "name": "Main library", "copies": 2, "available": 1},
        {"branch": 4, "code": "north", "name": "Branch North", "copies": 1, "available": 0},
    ],
}


class BookSerializer(RecordSerializer):
    category_notation = serializers.CharField(source="category.notation", read_only=True, default=None)
    cover_small = serializers.SerializerMethodField(help_text="For lists; null without a cover.")
    cover_large = serializers.SerializerMethodField(help_text="For a page; null without a cover.")

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
            "cover_small",
            "cover_large",
            "audio",
            "category",
            "category_notation",
            "category_source",
            "created_at",
        ]
        # Covers and recordings are added by imports or on the admin's page, where files are checked.
        read_only_fields = ["cover", "audio", "category_source", "created_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        before = self.instance.category if self.instance else None
        if "category" in attrs and attrs["category"] != before:
            attrs["category_source"] = librarian_source(category=attrs["category"])
        return super().validate(attrs)

    def create(self, validated_data: dict[str, Any]) -> Book:
        return self.update(Book(), validated_data)

    def update(self, instance: Book, validated_data: dict[str, Any]) -> Book:
        for name, value in validated_data.items():
            setattr(instance, name, value)
        save_book(book=instance)
        return instance

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_cover_small(self, book: Book) -> str | None:
        return self._cover(book, "small")

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_cover_large(self, book: Book) -> str | None:
        return self._cover(book, "large")

    def _cover(self, book: Book, size: str) -> str | None:
        if not book.cover:
            return None
        return reverse("book-cover", [book.pk, size], request=self.context.get("request"))


class BranchAvailabilitySerializer(serializers.Serializer):
    branch = serializers.IntegerField(allow_null=True, help_text="Null: copies without a branch.")
    code = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    copies = serializers.IntegerField()
    available = serializers.IntegerField()


@example("one available", AVAILABILITY)
class AvailabilitySerializer(serializers.Serializer):
    copies = serializers.IntegerField(help_text="Without lost and withdrawn copies.")
    available = serializers.IntegerField(help_text="Copies that are available now.")
    branches = BranchAvailabilitySerializer(many=True)


class _Books(serializers.ListSerializer):
    """Reads the availability of all books in one query."""

    def to_representation(self, data: Any) -> Any:
        books = list(data)
        child: Any = self.child
        if "availability" in child.fields:
            child.availability_by_book = availability(books=[book.pk for book in books])
        return super().to_representation(books)


@example(
    "a book",
    BOOK | {"availability": AVAILABILITY},
    request_fields=["control_number", "title", "authors", "language", "isbn", "category"],
)
class CatalogueBookSerializer(SparseFields, BookSerializer):
    """A book with its copies, limited to the requested fields."""

    availability = serializers.SerializerMethodField()
    #: Set by the list serializer.
    availability_by_book: dict[int, dict[str, Any]] | None = None

    class Meta(BookSerializer.Meta):
        fields = [*BookSerializer.Meta.fields, "availability"]
        list_serializer_class = _Books

    @extend_schema_field(AvailabilitySerializer)
    def get_availability(self, book: Book) -> dict[str, Any]:
        by_book = self.availability_by_book
        return (availability(books=[book.pk]) if by_book is None else by_book)[book.pk]
