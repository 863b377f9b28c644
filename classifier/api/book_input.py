"""Books to classify in the REST API: IDs of catalogued books, or bibliographic data with a cover."""

from base64 import b64decode
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.relations import PrimaryKeyRelatedField
from stdnum import isbn as isbn_numbers
from stdnum.exceptions import ValidationError as InvalidIsbnError

from classifier.services.serving.classify_now import MAX_BOOKS, RECORD_FIELDS, NewBook
from library.catalogue.media.covers import MAX_BYTES, small_jpeg
from library.catalogue.media.storage import FileRefusedError
from library.catalogue.models import Book

_MAX_DESCRIPTION_LENGTH = 50_000
"""Longer than any description in a catalogue, shorter than a book's full text."""


@extend_schema_field({"type": "string", "format": "byte", "description": "Base64-encoded image file."})
class CoverField(serializers.Field):
    """A cover in base64, for JSON."""

    def to_internal_value(self, data: Any) -> bytes:
        try:
            return self.normalised(b64decode(data, validate=True))
        except (TypeError, ValueError) as error:
            raise ValidationError(_("This is not valid base64."), code="invalid_base64") from error

    def normalised(self, content: bytes) -> bytes:
        """Return the cover as the catalogue would store it."""
        try:
            return small_jpeg(content=content)
        except FileRefusedError as error:
            raise ValidationError(error.message, code="cover_refused") from error


@extend_schema_field(OpenApiTypes.BINARY)
class UploadedCoverField(CoverField):
    """A cover as an uploaded file."""

    def to_internal_value(self, data: Any) -> bytes:
        if not hasattr(data, "chunks"):
            raise ValidationError(_("This is not a file."), code="not_a_file")
        # One byte above the limit is enough to refuse the file.
        return self.normalised(data.read(MAX_BYTES + 1))


class BookInputSerializer(serializers.Serializer):
    """A book: the `id` of a catalogued book, or bibliographic data with at least a `title`."""

    id = serializers.IntegerField(
        required=False, help_text="ID of a catalogued book. Must be the only property."
    )
    title = serializers.CharField(max_length=1000, required=False)
    subtitle = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    description = serializers.CharField(max_length=_MAX_DESCRIPTION_LENGTH, required=False, allow_blank=True)
    authors = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    publisher = serializers.CharField(max_length=500, required=False, allow_blank=True)
    isbn = serializers.CharField(
        required=False, allow_blank=True, help_text="Validated, but not used by the model."
    )
    # REST framework's type stubs declare another `language`.
    language = serializers.CharField(max_length=12, required=False, allow_blank=True)
    year = serializers.IntegerField(required=False, allow_null=True, min_value=-3000, max_value=3000)
    cover = CoverField(required=False)

    def validate_isbn(self, isbn: str) -> str:
        try:
            return str(isbn_numbers.validate(isbn, convert=True)) if isbn else ""
        except InvalidIsbnError as error:
            raise ValidationError(_("This is not a valid ISBN.")) from error

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "id" in attrs and len(attrs) > 1:
            raise ValidationError(_("For a book in the catalogue, send only its id."), code="id_not_alone")
        if "id" not in attrs and "title" not in attrs:
            raise ValidationError({"title": self.error_messages["required"]}, code="required")
        return attrs


class BookFormSerializer(BookInputSerializer):
    """A book as form data, with the cover as a file."""

    cover = UploadedCoverField(required=False)


class BookListSerializer(serializers.Serializer):
    books = serializers.ListField(
        child=BookInputSerializer(),
        min_length=1,
        max_length=MAX_BOOKS,
        help_text="The results are in the same order.",
    )


def resolve_books(inputs: list[dict[str, Any]]) -> tuple[list[Book | NewBook], dict[int, Any]]:
    """Return the books of validated inputs, and the errors of unknown IDs by position."""
    catalogued = Book.objects.in_bulk([book["id"] for book in inputs if "id" in book])
    unknown = str(PrimaryKeyRelatedField.default_error_messages["does_not_exist"])
    books: list[Book | NewBook] = []
    errors = {}
    for position, book in enumerate(inputs):
        if "id" not in book:
            fields = {name: book[name] for name in RECORD_FIELDS if name in book}
            books.append(NewBook(fields=fields, cover=book.get("cover", b"")))
        elif book["id"] in catalogued:
            books.append(catalogued[book["id"]])
        else:
            errors[position] = {"id": [ErrorDetail(unknown.format(pk_value=book["id"]), "does_not_exist")]}
    return books, errors
