"""Classification on request in the REST API. Nothing is stored."""

from typing import Any

from django.conf import settings
from django.utils.translation import get_language, override
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.book_input import (
    BookFormSerializer,
    BookInputSerializer,
    BookListSerializer,
    resolve_books,
)
from classifier.api.suggestions import EvidenceField
from classifier.errors import NoModelError, ServingError
from classifier.services.serving.classify_now import (
    MAX_RANKS,
    RANKS,
    Classification,
    NewBook,
    RankedCategory,
    classify_books,
)
from library.catalogue.models import Book, Category
from library.rest.parsers import StrictJSONParser
from library.rest.serializers import validated_body, validated_query


class NoActiveModelError(APIException):
    """No model version is active. Only a person can fix that, so the response has no Retry-After."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "no_model"


class ModelUnavailableError(APIException):
    """The process that serves the model does not respond."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "model_unavailable"
    wait = 5  # seconds; REST framework sends it as Retry-After


class ClassifyQuerySerializer(serializers.Serializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_RANKS, default=RANKS, help_text="Maximum number of categories per book."
    )
    threshold = serializers.FloatField(
        min_value=0, max_value=1, default=0.0, help_text="Omit categories with a lower probability."
    )
    language = serializers.ChoiceField(
        choices=settings.LANGUAGES,
        required=False,
        help_text="Language of the labels. Default: the language of the request.",
    )
    evidence = serializers.BooleanField(
        default=True, help_text="Include the evidence. Without it, the request takes about half the time."
    )


class RankedCategorySerializer(serializers.Serializer):
    category = serializers.IntegerField(source="category.pk")
    scheme = serializers.CharField(source="category.scheme")
    notation = serializers.CharField(source="category.notation")
    # REST framework's type stubs declare another `label`.
    label = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="In the requested language; in the other language if there is no such label."
    )
    probability = serializers.FloatField()
    rank = serializers.IntegerField()
    evidence = EvidenceField(read_only=True)

    def get_label(self, ranked: RankedCategory) -> str:
        return label_of(ranked.category)


class ClassificationSerializer(serializers.Serializer):
    book = serializers.IntegerField(
        source="book.pk",
        default=None,
        allow_null=True,
        help_text="ID; null for a book outside the catalogue.",
    )
    abstained = serializers.BooleanField(
        help_text="Whether the confidence is too low for the target precision (SUGGESTION_PRECISION)."
    )
    suggestions = RankedCategorySerializer(many=True, help_text="Most probable first.")
    model_version = serializers.CharField()


class ClassificationListSerializer(serializers.Serializer):
    results = ClassificationSerializer(many=True, help_text="In the order of the books in the request.")


_EVIDENCE_EXAMPLE = {
    "score": 6.1, "baseline": -0.2, "contributions": {"text": 5.2, "cover": 1.1},
    "terms": {"for": [["title", "galaxies", 2.4]], "against": []},
    "modality_predictions": {"text": ["ddc/520", 0.9], "cover": ["ddc/520", 0.5]},
    "modalities_disagree": False, "excluded_modalities": [],
    "nearest_books": {"cover": [["b2041", "ddc/520", 0.93]]}, "co_borrowed": {"share": 0.0, "books": []},
}  # fmt: skip
_CLASSIFICATION_EXAMPLE = {
    "book": None,
    "abstained": False,
    "suggestions": [
        {
            "category": 52,
            "scheme": "ddc",
            "notation": "520",
            "label": "Astronomy",
            "probability": 0.93,
            "rank": 1,
            "evidence": _EVIDENCE_EXAMPLE,
        }
    ],
    "model_version": "20261101-021500-a1b2",
}
_NEW_BOOK_EXAMPLE = {
    "title": "Galaxies", "authors": "J. Doe", "description": "How galaxies form.", "year": 2021
}  # fmt: skip
_ERRORS = {
    400: OpenApiResponse(
        OpenApiTypes.OBJECT,
        description="Invalid values, each with its location; in a batch, with the position of the book.",
    ),
    401: OpenApiResponse(OpenApiTypes.OBJECT, description="Authentication is missing or invalid."),
    409: OpenApiResponse(OpenApiTypes.OBJECT, description="`no_model`: no model version is active."),
    413: OpenApiResponse(
        OpenApiTypes.OBJECT, description="`content_too_large`: the request body is too large."
    ),
    503: OpenApiResponse(
        OpenApiTypes.OBJECT,
        description="`model_unavailable`: the process that serves the model does not respond. Retry after "
        "the time in Retry-After.",
    ),
}
_PARAMETERS: list[OpenApiParameter | type[serializers.Serializer]] = [
    ClassifyQuerySerializer,
    OpenApiParameter("Retry-After", int, OpenApiParameter.HEADER, response=[503], description="Seconds."),
]


class _ClassifyView(APIView):
    # It changes nothing, and every signed-in user may read suggestions.
    permission_classes = [IsAuthenticated]

    def classify(self, request: Request, books: list[Book | NewBook]) -> Any:
        """Return the serialized classifications."""
        query = validated_query(ClassifyQuerySerializer, request)
        language, with_evidence = query.pop("language", get_language()), query.pop("evidence")
        try:
            results: list[Classification] = classify_books(books=books, with_evidence=with_evidence, **query)
        except NoModelError as error:
            raise NoActiveModelError(error.message) from error
        except ServingError as error:
            raise ModelUnavailableError(error.message) from error
        with override(language):
            return ClassificationSerializer(results, many=True).data


class ClassifyView(_ClassifyView):
    """Classify one book."""

    parser_classes = [StrictJSONParser, MultiPartParser]

    @extend_schema(
        parameters=_PARAMETERS,
        request={"application/json": BookInputSerializer, "multipart/form-data": BookFormSerializer},
        responses={200: ClassificationSerializer, **_ERRORS},
        examples=[
            OpenApiExample(
                "A new book", value=_NEW_BOOK_EXAMPLE, request_only=True, media_type="application/json"
            ),
            OpenApiExample(
                "A catalogued book", value={"id": 7}, request_only=True, media_type="application/json"
            ),
            OpenApiExample(
                "Astronomy", value=_CLASSIFICATION_EXAMPLE, response_only=True, status_codes=["200"]
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Return the most probable categories of a book with evidence. Nothing is stored.

        For a catalogued book, send its ID; its loans are evidence too and may be up to an hour old. For
        another book, send the available data: as JSON with the cover in base64, or as form data with the
        cover as a file.
        """
        serializer_class = BookFormSerializer if is_form(request) else BookInputSerializer
        books, errors = resolve_books([validated_body(serializer_class, request)])
        if errors:
            raise ValidationError(errors[0])
        return Response(self.classify(request, books)[0])


class ClassifyBatchView(_ClassifyView):
    """Classify several books."""

    @extend_schema(
        parameters=_PARAMETERS,
        request=BookListSerializer,
        responses={200: ClassificationListSerializer, **_ERRORS},
        examples=[
            OpenApiExample(
                "Two books", value={"books": [{"id": 7}, _NEW_BOOK_EXAMPLE]}, request_only=True
            ),
            OpenApiExample(
                "Astronomy",
                value={"results": [_CLASSIFICATION_EXAMPLE | {"book": 7}, _CLASSIFICATION_EXAMPLE]},
                response_only=True,
                status_codes=["200"],
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Return the most probable categories of up to 100 books. If one book is invalid, none is classified.

        Accepts JSON only. To classify a whole catalogue, start a `reclassify` run.
        """
        books, errors = resolve_books(validated_body(BookListSerializer, request)["books"])
        if errors:
            raise ValidationError({"books": errors})  # type: ignore[dict-item]  # by position, as in a ListField
        return Response({"results": self.classify(request, books)})


def is_form(request: Request) -> bool:
    """Return whether a request is form data with files."""
    return request.content_type.startswith("multipart/")


def label_of(category: Category) -> str:
    """Return the label of a category in the current language, or in the other one."""
    english, chinese = category.label_en, category.label_zh
    return chinese or english if (get_language() or "").startswith("zh") else english or chinese
