"""Reviews in the REST API: take the next books, say what becomes of them, read what was said."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import generics, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.api.suggestions import SuggestionSerializer
from classifier.models import Review, ReviewItem, Suggestion
from classifier.selectors.reviews import ReviewFilters, review_figures, waiting_items
from classifier.services.review.queue import MAX_AT_ONCE, next_for
from classifier.services.review.verdicts import judge, undo_last
from library.admin_site.users import signed_in
from library.catalogue.api import BookSerializer
from library.catalogue.models import Branch, Category
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import asked, validated
from library.rest.views import ListMixin


class MayReview(BasePermission):
    """A review files books, so the book's permission counts too."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perms(["classifier.add_review", "catalogue.change_book"])


class MayReadFigures(BasePermission):
    """Numbers name nobody: who may see the suggestions may see how they fare."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("classifier.view_suggestion")


class ReviewSerializer(serializers.ModelSerializer):
    title = serializers.CharField(source="book.title", read_only=True)
    reviewer = serializers.CharField(source="reviewer.username", read_only=True, default=None)
    model_version = serializers.CharField(source="model_version.name", read_only=True, default=None)

    class Meta:
        model = Review
        fields = [
            "id",
            "book",
            "title",
            "suggested",
            "probability",
            "model_version",
            "verdict",
            "category",
            "reviewer",
            "at",
            "seconds",
            "note",
            "withdrawn_at",
        ]


class OwnVerdictSerializer(serializers.Serializer):
    """A verdict on the suggestion of the address."""

    verdict = serializers.ChoiceField(
        choices=[choice for choice in Review.Verdict.choices if choice[0] != Review.Verdict.UNKNOWN]
    )
    category = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(),
        default=None,
        help_text="The right one: for `correct`, where it must be.",
    )
    note = serializers.CharField(max_length=200, default="", allow_blank=True)


class VerdictSerializer(OwnVerdictSerializer):
    suggestion = serializers.IntegerField(help_text="The suggestion that is judged, as `next` gave it.")
    verdict = serializers.ChoiceField(choices=Review.Verdict.choices)


class NextSerializer(serializers.Serializer):
    """What a reviewer asks for."""

    n = serializers.IntegerField(min_value=1, max_value=MAX_AT_ONCE, default=1)
    branch = serializers.SlugRelatedField(
        slug_field="code",
        queryset=Branch.objects.all(),
        default=None,
        help_text="Code of a branch with a copy.",
    )
    language = serializers.CharField(default="", max_length=12, allow_blank=True)
    category = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(), default=None, help_text="The category suggested."
    )
    reason = serializers.ChoiceField(choices=list(ReviewItem.REASONS), default="", allow_blank=True)


class ReviewItemSerializer(serializers.ModelSerializer):
    book = BookSerializer(read_only=True)
    reasons = serializers.ListField(child=serializers.ChoiceField(choices=list(ReviewItem.REASONS)))
    suggestions = SuggestionSerializer(source="book.suggestions", many=True, read_only=True)

    class Meta:
        model = ReviewItem
        fields = ["book", "place", "benefit", "reasons", "locked_until", "suggestions"]


class ReviewViewSet(ListMixin, viewsets.GenericViewSet):
    """What librarians said of suggestions, the newest first."""

    queryset = Review.objects.select_related("book", "reviewer", "model_version").defer("evidence")
    serializer_class = ReviewSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["book", "verdict"]
    ordering_fields = ["at"]

    def get_permissions(self) -> Any:
        return [MayReview()] if self.action == "create" else super().get_permissions()

    @extend_schema(request=VerdictSerializer, responses={201: ReviewSerializer})
    def create(self, request: Request) -> Response:
        """Judge a book that `next` gave: accept, correct, reject, or unknown, which leaves it to others."""
        given = VerdictSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        review = judge(**given.validated_data, reviewer=signed_in(request.user), now=timezone.now())
        return Response(self.get_serializer(review).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[NextSerializer],
        filters=False,
        responses=inline_serializer(
            "NextReviews",
            {"left": serializers.IntegerField(), "results": ReviewItemSerializer(many=True)},
        ),
    )
    @action(detail=False, methods=["get"], permission_classes=[MayReview], url_path="next")
    def next_books(self, request: Request) -> Response:
        """Take the next books: for a quarter of an hour nobody else gets them."""
        given = asked(NextSerializer, request)
        filters = ReviewFilters(
            branch=given["branch"].code if given["branch"] else "",
            language=given["language"],
            category=given["category"].pk if given["category"] else None,
            reason=given["reason"],
        )
        items = next_for(reviewer=signed_in(request.user), now=timezone.now(), filters=filters, n=given["n"])
        context = self.get_serializer_context()
        return Response(
            {
                "left": waiting_items(filters=filters).count(),
                "results": ReviewItemSerializer(items, many=True, context=context).data,
            }
        )

    @extend_schema(request=None, responses=ReviewSerializer)
    @action(detail=False, methods=["post"], permission_classes=[MayReview])
    def undo(self, request: Request) -> Response:
        """Undo your last review."""
        review = undo_last(reviewer=signed_in(request.user), now=timezone.now())
        return Response(self.get_serializer(review).data)

    @extend_schema(
        filters=False,
        responses=OpenApiResponse(
            inline_serializer(
                "ReviewFigures",
                {
                    "reviewed": serializers.IntegerField(),
                    "verdicts": serializers.DictField(child=serializers.IntegerField()),
                    "waiting": serializers.IntegerField(),
                    "reasons": serializers.DictField(child=serializers.IntegerField()),
                },
            )
        ),
    )
    @action(detail=False, methods=["get"], permission_classes=[MayReadFigures], pagination_class=None)
    def figures(self, request: Request) -> Response:
        """Count what was reviewed and what waits; of no person."""
        return Response(review_figures())


class SuggestionReviewView(generics.GenericAPIView):
    """What a librarian says of one suggestion."""

    queryset = Suggestion.objects.all()
    serializer_class = OwnVerdictSerializer
    permission_classes = [MayReview]
    filter_backends: list[type] = []
    pagination_class = None

    @extend_schema(
        responses={
            201: ReviewSerializer,
            400: OpenApiResponse(
                OpenApiTypes.OBJECT, description="A correction names a category, the others none."
            ),
            404: OpenApiResponse(OpenApiTypes.OBJECT, description="Replaced since: read the book's again."),
            409: OpenApiResponse(OpenApiTypes.OBJECT, description="Another reviewer has taken the book."),
        },
        examples=[
            OpenApiExample("Right", value={"verdict": "accept"}, request_only=True),
            OpenApiExample("Another one is", value={"verdict": "correct", "category": 7}, request_only=True),
            OpenApiExample("Wrong", value={"verdict": "reject", "note": "about film"}, request_only=True),
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Judge a suggestion: accept it, correct it, or reject it, which is not suggested for the book again.

        What `POST /reviews/` does, for a book that need not have been taken with `next`.
        """
        given = validated(OwnVerdictSerializer, request)
        review = judge(
            suggestion=self.get_object().pk,
            **given,
            reviewer=signed_in(request.user),
            now=timezone.now(),
            from_queue=False,
        )
        return Response(ReviewSerializer(review).data, status=status.HTTP_201_CREATED)
