"""Classifying in the REST API: what the model says of a book, in the catalogue or not; nothing is stored."""

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
    AskedBookSerializer,
    AskedBooksSerializer,
    UploadedBookSerializer,
    books_asked,
)
from classifier.api.suggestions import EvidenceField
from classifier.errors import NoModelError, ServingError
from classifier.services.serving.classify_now import (
    MOST_RANKS,
    RANKS,
    Classified,
    Guess,
    NewBook,
    classify_books,
)
from library.catalogue.models import Book, Category
from library.rest.parsers import StrictJSONParser
from library.rest.serializers import asked, validated


class NothingActiveError(APIException):
    """No model classifies here yet. It takes a person to mend that, so nobody is told to ask again."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "no_model"


class ModelAwayError(APIException):
    """The model cannot be asked at the moment."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "model_away"
    wait = 5  # REST framework makes Retry-After of it


class HowSerializer(serializers.Serializer):
    """How to answer, in the address."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_RANKS, default=RANKS, help_text="So many categories of each book at most."
    )
    threshold = serializers.FloatField(
        min_value=0, max_value=1, default=0.0, help_text="Leave out categories that are less likely."
    )
    language = serializers.ChoiceField(
        choices=settings.LANGUAGES,
        required=False,
        help_text="Of the labels; unless given, that of the request.",
    )
    evidence = serializers.BooleanField(
        default=True, help_text="Without it the answer takes about half of the time."
    )


class GuessSerializer(serializers.Serializer):
    category = serializers.IntegerField(source="category.pk")
    scheme = serializers.CharField(source="category.scheme")
    notation = serializers.CharField(source="category.notation")
    # REST framework's own stubs keep the name for what a field is called.
    label = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="In the language asked for, or the other one where it has none in that."
    )
    probability = serializers.FloatField()
    rank = serializers.IntegerField()
    evidence = EvidenceField(read_only=True)

    def get_label(self, guess: Guess) -> str:
        return label_of(guess.category)


class ClassifiedSerializer(serializers.Serializer):
    book = serializers.IntegerField(
        source="book.pk", default=None, allow_null=True, help_text="Id; null of a book not in the catalogue."
    )
    abstained = serializers.BooleanField(
        help_text="Not sure enough for the precision asked for (SUGGESTION_PRECISION): these are guesses."
    )
    suggestions = GuessSerializer(many=True, help_text="The likeliest first.")
    model_version = serializers.CharField()


class ClassifiedBooksSerializer(serializers.Serializer):
    results = ClassifiedSerializer(many=True, help_text="In the order in which the books were given.")


_EVIDENCE_EXAMPLE = {
    "decision": 6.1, "baseline": -0.2, "shares": {"text": 5.2, "cover": 1.1},
    "terms": {"for": [["title", "galaxies", 2.4]], "against": []},
    "says": {"text": ["ddc/520", 0.9], "cover": ["ddc/520", 0.5]}, "disagree": False, "left_out": [],
    "nearest": {"cover": [["b2041", "ddc/520", 0.93]]}, "borrowed_with": {"agree": 0.0, "books": []},
}  # fmt: skip
_ANSWER_EXAMPLE = {
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
_NEW_EXAMPLE = {"title": "Galaxies", "authors": "J. Doe", "description": "How galaxies form.", "year": 2021}
_ERRORS = {
    400: OpenApiResponse(
        OpenApiTypes.OBJECT,
        description="Values that are not valid, each at its place: in a batch, the number of the book.",
    ),
    401: OpenApiResponse(OpenApiTypes.OBJECT, description="Nobody is signed in."),
    409: OpenApiResponse(OpenApiTypes.OBJECT, description="`no_model`: nothing is trained or active."),
    413: OpenApiResponse(OpenApiTypes.OBJECT, description="`too_large`"),
    503: OpenApiResponse(
        OpenApiTypes.OBJECT,
        description="`model_away`: the process that holds the model cannot be asked. Ask again after the "
        "seconds in Retry-After.",
    ),
}
_PARAMETERS: list[OpenApiParameter | type[serializers.Serializer]] = [
    HowSerializer,
    OpenApiParameter("Retry-After", int, OpenApiParameter.HEADER, response=[503], description="Seconds."),
]


class _ClassifyView(APIView):
    permission_classes = [IsAuthenticated]  # it changes nothing, and says what anyone signed in may read

    def classified(self, request: Request, books: list[Book | NewBook]) -> Any:
        """Return the answers as they are sent."""
        given = asked(HowSerializer, request)
        language, with_evidence = given.pop("language", get_language()), given.pop("evidence")
        try:
            found: list[Classified] = classify_books(books=books, with_evidence=with_evidence, **given)
        except NoModelError as error:
            raise NothingActiveError(error.message) from error
        except ServingError as error:
            raise ModelAwayError(error.message) from error
        with override(language):
            return ClassifiedSerializer(found, many=True).data


class ClassifyView(_ClassifyView):
    """What the active version says of one book."""

    parser_classes = [StrictJSONParser, MultiPartParser]

    @extend_schema(
        parameters=_PARAMETERS,
        request={"application/json": AskedBookSerializer, "multipart/form-data": UploadedBookSerializer},
        responses={200: ClassifiedSerializer, **_ERRORS},
        examples=[
            OpenApiExample(
                "A new book", value=_NEW_EXAMPLE, request_only=True, media_type="application/json"
            ),
            OpenApiExample(
                "A book in the catalogue", value={"id": 7}, request_only=True, media_type="application/json"
            ),
            OpenApiExample("Astronomy", value=_ANSWER_EXAMPLE, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Say which categories a book may have, and why; nothing is stored.

        A book of the catalogue is given by its id, and judged by its loans too, which may be an hour old. Of
        another, give what is known: as JSON with the cover in base64, or as a form with the cover as a file.
        """
        given = validated(UploadedBookSerializer if is_form(request) else AskedBookSerializer, request)
        books, missing = books_asked([given])
        if missing:
            raise ValidationError(missing[0])
        return Response(self.classified(request, books)[0])


class ClassifyBatchView(_ClassifyView):
    """What the active version says of some books."""

    @extend_schema(
        parameters=_PARAMETERS,
        request=AskedBooksSerializer,
        responses={200: ClassifiedBooksSerializer, **_ERRORS},
        examples=[
            OpenApiExample(
                "Two books", value={"books": [{"id": 7}, _NEW_EXAMPLE]}, request_only=True
            ),
            OpenApiExample(
                "Astronomy",
                value={"results": [_ANSWER_EXAMPLE | {"book": 7}, _ANSWER_EXAMPLE]},
                response_only=True,
                status_codes=["200"],
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Say which categories each of up to a hundred books may have; all are answered or none.

        JSON only: a form has no lists of books. A whole catalogue is reclassified by a run.
        """
        books, missing = books_asked(validated(AskedBooksSerializer, request)["books"])
        if missing:
            raise ValidationError({"books": missing})  # type: ignore[dict-item]  # numbers, as a ListField has them
        return Response({"results": self.classified(request, books)})


def is_form(request: Request) -> bool:
    """Return whether a request comes as a form with files."""
    return request.content_type.startswith("multipart/")


def label_of(category: Category) -> str:
    """Return what people call a category in the current language, or in the other one."""
    english, chinese = category.label_en, category.label_zh
    return chinese or english if (get_language() or "").startswith("zh") else english or chinese
