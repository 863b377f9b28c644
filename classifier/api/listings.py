"""The lists for nobody in particular in the REST API."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers

from classifier.models import Listing
from classifier.selectors.listings import in_words, listed, reason
from library.catalogue.api import BookSerializer
from library.catalogue.models import Branch, Category
from library.rest.serializers import asked
from library.rest.views import ListView

_FACTS = {
    "type": "object",
    "readOnly": True,
    "description": "The same as facts; only those that say why are there.",
    "properties": {
        "list": {"type": "string", "enum": Listing.Kind.values},
        "branch": {"type": "string", "description": "Name; without it, all branches together."},
        "times": {
            "type": "integer",
            "description": "Loans in the last year, of a trending title in the last 30 days; of a treasure, "
            "what titles like it have a year on average. Of all branches together at least so many: groups "
            "too small to be told of are left out.",
        },
        "expected": {"type": "number", "description": "Loans to be expected in 30 days."},
        "since": {"type": "string", "format": "date"},
    },
}


class NarrowingSerializer(serializers.Serializer):
    """What titles can be narrowed to, in the address."""

    category = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(), required=False, help_text="With the categories below it."
    )
    language = serializers.CharField(required=False, allow_blank=True)
    available = serializers.BooleanField(
        required=False, default=False, help_text="Only titles with a copy that can be had now."
    )


class FilterSerializer(NarrowingSerializer):
    """What a list can be narrowed to."""

    branch = serializers.PrimaryKeyRelatedField(
        queryset=Branch.objects.all(),
        required=False,
        help_text="Lent there; of new titles and treasures, with a copy there.",
    )


class ListingSerializer(serializers.ModelSerializer):
    book = BookSerializer(read_only=True)
    reason = serializers.SerializerMethodField(help_text="Why, in the language asked for.")
    facts = serializers.SerializerMethodField()

    class Meta:
        model = Listing
        fields = ["book", "reason", "facts"]

    def get_reason(self, listing: Listing) -> str:
        return in_words(reason(listing))

    @extend_schema_field(_FACTS)
    def get_facts(self, listing: Listing) -> dict[str, Any]:
        return reason(listing)


class _ListedView(ListView):
    queryset = Listing.objects.all()
    serializer_class = ListingSerializer
    filter_backends: list[type] = []
    kind: Listing.Kind

    def filter_queryset(self, queryset: Any) -> Any:
        wanted = asked(FilterSerializer, self.request)
        for name in ("branch", "category"):
            if name in wanted:
                wanted[name] = wanted[name].pk
        return listed(kind=self.kind, **wanted)


@extend_schema(parameters=[FilterSerializer])
class PopularView(_ListedView):
    """The titles most borrowed in the last year, the most borrowed first."""

    kind = Listing.Kind.POPULAR


@extend_schema(parameters=[FilterSerializer])
class TrendingView(_ListedView):
    """The titles borrowed surely more often in the last 30 days than in the year before, the surest first."""

    kind = Listing.Kind.TRENDING


@extend_schema(parameters=[FilterSerializer])
class LatestView(_ListedView):
    """The titles that came within the last year, the newest first."""

    kind = Listing.Kind.LATEST


@extend_schema(parameters=[FilterSerializer])
class TreasuresView(_ListedView):
    """Titles that can be had and are seldom borrowed, though titles like them are much borrowed."""

    kind = Listing.Kind.TREASURE
