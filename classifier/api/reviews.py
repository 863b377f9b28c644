"""Reviews in the REST API: claim the next books, record verdicts, read past reviews."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import generics, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.permissions import CanReview, CanViewReviewStatistics
from classifier.api.suggestions import SuggestionSerializer
from classifier.models import Review, ReviewItem, Suggestion
from classifier.selectors.reviews import ReviewFilters, review_statistics, waiting_items
from classifier.services.review.queue import MAX_BOOKS, next_for
from classifier.services.review.verdicts import record_verdict, undo_last
from library.admin_site.users import signed_in
from library.catalogue.api import BookSerializer
from library.catalogue.models import Branch, Category
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.serializers import validated_body, validated_query
from library.rest.views import ListMixin


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
            "created_at",
            "seconds",
            "note",
            "withdrawn_at",
        ]


class SuggestionVerdictSerializer(serializers.Serializer):
    """A verdict on the suggestion in the URL."""

    verdict = serializers.ChoiceField(
        choices=[choice for choice in Review.Verdict.choices if choice[0] != Review.Verdict.UNKNOWN]
    )
    category = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(),
        default=None,
        help_text="ID of the correct category. Required for `correct`, not allowed otherwise.",
    )
    note = serializers.CharField(max_length=200, default="", allow_blank=True)


class VerdictSerializer(SuggestionVerdictSerializer):
    suggestion = serializers.IntegerField(help_text="ID of the reviewed suggestion, as returned by `next`.")
    verdict = serializers.ChoiceField(choices=Review.Verdict.choices)


class NextBooksQuerySerializer(serializers.Serializer):
    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_BOOKS, default=1, help_text="Number of books to claim."
    )
    branch = serializers.SlugRelatedField(
        slug_field="code",
        queryset=Branch.objects.all(),
        default=None,
        help_text="Code of a branch that has a copy.",
    )
    language = serializers.CharField(default="", max_length=12, allow_blank=True)
    category = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(), default=None, help_text="ID of the suggested category."
    )
    reason = serializers.ChoiceField(
        choices=list(ReviewItem.REASONS),
        default="",
        allow_blank=True,
        help_text="Why the book needs review.",
    )


class ReviewItemSerializer(serializers.ModelSerializer):
    book = BookSerializer(read_only=True)
    reasons = serializers.ListField(child=serializers.ChoiceField(choices=list(ReviewItem.REASONS)))
    suggestions = SuggestionSerializer(source="book.suggestions", many=True, read_only=True)

    class Meta:
        model = ReviewItem
        fields = ["book", "position", "benefit", "reasons", "locked_until", "suggestions"]


class ReviewViewSet(ListMixin, viewsets.GenericViewSet):
    """Reviews of suggestions by librarians, newest first."""

    queryset = Review.objects.select_related("book", "reviewer", "model_version").defer("evidence")
    serializer_class = ReviewSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["book", "verdict"]
    ordering_fields = ["created_at"]

    def get_permissions(self) -> Any:
        return [CanReview()] if self.action == "create" else super().get_permissions()

    @extend_schema(request=VerdictSerializer, responses={201: ReviewSerializer})
    def create(self, request: Request) -> Response:
        """Review a book claimed with `next`: accept, correct or reject; `unknown` leaves it to others."""
        verdict = validated_body(VerdictSerializer, request)
        review = record_verdict(**verdict, reviewer=signed_in(request.user), now=timezone.now())
        return Response(self.get_serializer(review).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[NextBooksQuerySerializer],
        filters=False,
        responses=inline_serializer(
            "NextReviews",
            {
                "remaining": serializers.IntegerField(help_text="Books to review with these filters."),
                "results": ReviewItemSerializer(many=True),
            },
        ),
    )
    @action(detail=False, methods=["get"], permission_classes=[CanReview], url_path="next")
    def next_books(self, request: Request) -> Response:
        """Claim the next books. They are reserved for you until `locked_until`."""
        query = validated_query(NextBooksQuerySerializer, request)
        filters = ReviewFilters(
            branch=query["branch"].code if query["branch"] else "",
            language=query["language"],
            category=query["category"].pk if query["category"] else None,
            reason=query["reason"],
        )
        items = next_for(
            reviewer=signed_in(request.user), now=timezone.now(), filters=filters, n=query["limit"]
        )
        context = self.get_serializer_context()
        return Response(
            {
                "remaining": waiting_items(filters=filters).count(),
                "results": ReviewItemSerializer(items, many=True, context=context).data,
            }
        )

    @extend_schema(request=None, responses=ReviewSerializer)
    @action(detail=False, methods=["post"], permission_classes=[CanReview])
    def undo(self, request: Request) -> Response:
        """Undo your last review."""
        review = undo_last(reviewer=signed_in(request.user), now=timezone.now())
        return Response(self.get_serializer(review).data)

    @extend_schema(
        filters=False,
        responses=OpenApiResponse(
            inline_serializer(
                "ReviewStatistics",
                {
                    "reviewed": serializers.IntegerField(),
                    "verdicts": serializers.DictField(child=serializers.IntegerField()),
                    "waiting": serializers.IntegerField(),
                    "reasons": serializers.DictField(child=serializers.IntegerField()),
                },
            )
        ),
    )
    @action(
        detail=False, methods=["get"], permission_classes=[CanViewReviewStatistics], pagination_class=None
    )
    def statistics(self, request: Request) -> Response:
        """Return the numbers of reviews by verdict and of books to review by reason."""
        return Response(review_statistics())


class SuggestionReviewView(generics.GenericAPIView):
    """Review of one suggestion."""

    queryset = Suggestion.objects.all()
    serializer_class = SuggestionVerdictSerializer
    permission_classes = [CanReview]
    filter_backends: list[type] = []
    pagination_class = None

    @extend_schema(
        responses={
            201: ReviewSerializer,
            400: OpenApiResponse(
                OpenApiTypes.OBJECT,
                description="The category of a correction is missing, or another verdict names one.",
            ),
            404: OpenApiResponse(
                OpenApiTypes.OBJECT, description="The suggestion has been replaced. Read the book's again."
            ),
            409: OpenApiResponse(
                OpenApiTypes.OBJECT, description="The book is assigned to another reviewer."
            ),
        },
        examples=[
            OpenApiExample("Accept", value={"verdict": "accept"}, request_only=True),
            OpenApiExample("Correct", value={"verdict": "correct", "category": 7}, request_only=True),
            OpenApiExample("Reject", value={"verdict": "reject", "note": "about film"}, request_only=True),
        ],
    )
    def post(self, request: Request, pk: int) -> Response:
        """Accept, correct or reject a suggestion. A rejected category is not suggested for the book again.

        Like `POST /reviews/`, for a book that was not claimed with `next`.
        """
        verdict = validated_body(SuggestionVerdictSerializer, request)
        review = record_verdict(
            suggestion=self.get_object().pk,
            **verdict,
            reviewer=signed_in(request.user),
            now=timezone.now(),
            from_queue=False,
        )
        return Response(ReviewSerializer(review).data, status=status.HTTP_201_CREATED)
