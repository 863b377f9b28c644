"""What the REST API is asked to classify: books in the catalogue, and others with a cover."""

from base64 import b64decode
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.relations import PrimaryKeyRelatedField
from stdnum import isbn as isbn_numbers
from stdnum.exceptions import ValidationError as NoIsbnError

from classifier.services.serving.classify_now import AT_ONCE, READ, NewBook
from library.catalogue.media.covers import MOST_BYTES, small_jpeg
from library.catalogue.media.storage import FileRefusedError
from library.catalogue.models import Book

_LONGEST_TEXT = 50_000
"""Characters of a description: more than any catalogue has, and no book's text."""


@extend_schema_field({"type": "string", "format": "byte", "description": "An image file in base64."})
class CoverField(serializers.Field):
    """A cover in base64, as JSON can carry it."""

    def to_internal_value(self, data: Any) -> bytes:
        try:
            return self.checked(b64decode(data, validate=True))
        except (TypeError, ValueError) as error:
            raise ValidationError(_("This is no base64."), code="no_base64") from error

    def checked(self, content: bytes) -> bytes:
        """Return the cover as the catalogue would keep it."""
        try:
            return small_jpeg(content=content)
        except FileRefusedError as error:
            raise ValidationError(error.message, code="cover_refused") from error


@extend_schema_field(OpenApiTypes.BINARY)
class UploadedCoverField(CoverField):
    """A cover as a file of a form."""

    def to_internal_value(self, data: Any) -> bytes:
        if not hasattr(data, "chunks"):
            raise ValidationError(_("This is no file."), code="no_file")
        # One byte more than is allowed is enough to refuse it.
        return self.checked(data.read(MOST_BYTES + 1))


class AskedBookSerializer(serializers.Serializer):
    """A book in the catalogue, by ``id`` alone, or one that is not in it, with a ``title`` at least."""

    id = serializers.IntegerField(required=False, help_text="Of a book in the catalogue, and nothing else.")
    title = serializers.CharField(max_length=1000, required=False)
    subtitle = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    description = serializers.CharField(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    authors = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    publisher = serializers.CharField(max_length=500, required=False, allow_blank=True)
    isbn = serializers.CharField(
        required=False, allow_blank=True, help_text="Checked; the model does not read it."
    )
    # REST framework's own stubs keep the name for the language of a field.
    language = serializers.CharField(max_length=12, required=False, allow_blank=True)
    year = serializers.IntegerField(required=False, allow_null=True, min_value=-3000, max_value=3000)
    cover = CoverField(required=False)

    def validate_isbn(self, isbn: str) -> str:
        try:
            return str(isbn_numbers.validate(isbn, convert=True)) if isbn else ""
        except NoIsbnError as error:
            raise ValidationError(_("This is no ISBN.")) from error

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "id" in attrs and len(attrs) > 1:
            raise ValidationError(_("Of a book in the catalogue, give the id alone."), code="id_and_more")
        if "id" not in attrs and "title" not in attrs:
            raise ValidationError({"title": self.error_messages["required"]}, code="required")
        return attrs


class UploadedBookSerializer(AskedBookSerializer):
    """The same as a form, the cover as a file."""

    cover = UploadedCoverField(required=False)


class AskedBooksSerializer(serializers.Serializer):
    books = serializers.ListField(
        child=AskedBookSerializer(), min_length=1, max_length=AT_ONCE, help_text="Answered in their order."
    )


def books_asked(asked: list[dict[str, Any]]) -> tuple[list[Book | NewBook], dict[int, Any]]:
    """Return the books asked about, and what is wrong with those that are not there, by their number."""
    known = Book.objects.in_bulk([given["id"] for given in asked if "id" in given])
    unknown = PrimaryKeyRelatedField.default_error_messages["does_not_exist"]
    found: list[Book | NewBook] = []
    missing = {}
    for number, given in enumerate(asked):
        if "id" not in given:
            fields = {name: given[name] for name in READ if name in given}
            found.append(NewBook(fields=fields, cover=given.get("cover", b"")))
        elif given["id"] in known:
            found.append(known[given["id"]])
        else:
            words = str(unknown).format(pk_value=given["id"])
            missing[number] = {"id": [ErrorDetail(words, "does_not_exist")]}
    return found, missing
