"""Highlights in the REST API: popular, trending and new titles, and hidden gems."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers

from classifier.models import Listing
from classifier.selectors.listings import listed_titles, reason, reason_text
from library.catalogue.api import BookSerializer
from library.catalogue.models import Branch, Category
from library.rest.serializers import validated_query
from library.rest.views import ListView

_FACTS_SCHEMA = {
    "type": "object",
    "readOnly": True,
    "description": "The values in the reason; those that do not apply are missing.",
    "properties": {
        "list": {"type": "string", "enum": Listing.Kind.values},
        "branch": {"type": "string", "description": "Name of the branch; missing for all branches together."},
        "loans": {
            "type": "integer",
            "description": "Number of loans in the last year; for a trending title, in the last 30 days; for "
            "a hidden gem, the average of similar titles per year. For all branches together it is a "
            "minimum, because groups of too few loans are suppressed for privacy.",
        },
        "expected": {"type": "number", "description": "Expected number of loans in 30 days."},
        "since": {"type": "string", "format": "date", "description": "Date on which the title was added."},
    },
}


class TitleFilterSerializer(serializers.Serializer):
    """Filters for titles, in the query string."""

    category = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(), required=False, help_text="ID; includes the categories below it."
    )
    language = serializers.CharField(required=False, allow_blank=True)
    available = serializers.BooleanField(
        required=False, default=False, help_text="Only titles with an available copy."
    )


class ListingFilterSerializer(TitleFilterSerializer):
    branch = serializers.PrimaryKeyRelatedField(
        queryset=Branch.objects.all(),
        required=False,
        help_text="ID. Popular and trending titles: loans at this branch. New titles and hidden gems: titles "
        "with a copy at this branch.",
    )


class ListingSerializer(serializers.ModelSerializer):
    book = BookSerializer(read_only=True)
    reason = serializers.SerializerMethodField(
        help_text="Why the title is listed, in the requested language."
    )
    facts = serializers.SerializerMethodField()

    class Meta:
        model = Listing
        fields = ["book", "reason", "facts"]

    def get_reason(self, listing: Listing) -> str:
        return reason_text(reason(listing))

    @extend_schema_field(_FACTS_SCHEMA)
    def get_facts(self, listing: Listing) -> dict[str, Any]:
        return reason(listing)


class _ListingView(ListView):
    queryset = Listing.objects.all()
    serializer_class = ListingSerializer
    filter_backends: list[type] = []
    kind: Listing.Kind

    def filter_queryset(self, queryset: Any) -> Any:
        filters = validated_query(ListingFilterSerializer, self.request)
        for name in ("branch", "category"):
            if name in filters:
                filters[name] = filters[name].pk
        return listed_titles(kind=self.kind, **filters)


@extend_schema(parameters=[ListingFilterSerializer])
class PopularView(_ListingView):
    """Titles with the most loans in the last year, most popular first."""

    kind = Listing.Kind.POPULAR


@extend_schema(parameters=[ListingFilterSerializer])
class TrendingView(_ListingView):
    """Titles borrowed significantly more often in the last 30 days than in the year before."""

    kind = Listing.Kind.TRENDING


@extend_schema(parameters=[ListingFilterSerializer])
class LatestView(_ListingView):
    """Titles added within the last year, newest first."""

    kind = Listing.Kind.LATEST


@extend_schema(parameters=[ListingFilterSerializer])
class HiddenGemsView(_ListingView):
    """Available titles that are rarely borrowed, although similar titles are popular."""

    kind = Listing.Kind.HIDDEN_GEM
