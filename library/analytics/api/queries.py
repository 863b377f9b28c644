"""Query parameters of the statistics API."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from library.analytics.selectors.loans import GROUPINGS, METRICS
from library.analytics.selectors.scope import INTERVALS, last_year
from library.catalogue.models import Branch, Category

#: A response with more daily rows for each group would be a bulk export.
MAX_DAYS = 800
MAX_TITLES = 1_000


class ScopeSerializer(serializers.Serializer):
    """Days, branch and category to count."""

    def get_fields(self) -> dict[str, serializers.Field]:
        # Not class attributes, because "from" is a keyword of Python.
        return {
            "from": serializers.DateField(
                required=False,
                source="start",
                help_text="First day. Default: the first day of this month last year.",
            ),
            "to": serializers.DateField(required=False, source="end", help_text="Last day. Default: today."),
            "branch": serializers.PrimaryKeyRelatedField(
                queryset=Branch.objects.all(), required=False, help_text="Only events at this branch."
            ),
            "category": serializers.PrimaryKeyRelatedField(
                queryset=Category.objects.all(),
                required=False,
                help_text="Only books filed under this category or its subcategories now.",
            ),
            **super().get_fields(),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = self.initial_data.keys() - self.fields.keys() - {"format"}
        if unknown:
            text = _("Unknown parameter. Available parameters: %(known)s.") % {
                "known": ", ".join(self.fields)
            }
            raise serializers.ValidationError({name: [text] for name in sorted(unknown)})
        start, end = last_year(now=timezone.now())
        attrs = {"start": start, "end": end} | attrs
        if attrs["start"] > attrs["end"]:
            raise serializers.ValidationError({"to": [_("The end date must not be before the start date.")]})
        return attrs


class LoansQuerySerializer(ScopeSerializer):
    group_by = serializers.ChoiceField(choices=list(GROUPINGS), default="none")
    interval = serializers.ChoiceField(
        choices=[*INTERVALS, "total"],
        default="month",
        help_text="Weeks begin on Monday; `total` combines all days.",
    )
    metrics = serializers.CharField(
        default="checkouts",
        help_text=f"Comma-separated list of {', '.join(METRICS)}. `late` counts checkins after the due date.",
    )

    def validate_metrics(self, text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        if wrong := [name for name in names if name not in METRICS]:
            values = {"wrong": ", ".join(wrong), "known": ", ".join(METRICS)}
            text = _("Unknown metric: %(wrong)s. Available metrics: %(known)s.")
            raise serializers.ValidationError(text % values)
        return list(dict.fromkeys(names))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs["interval"] == "day" and (attrs["end"] - attrs["start"]).days > MAX_DAYS:
            text = _("Too many days for daily figures. Group by week or shorten the date range.")
            raise serializers.ValidationError({"interval": [text]})
        return attrs


class TitlesQuerySerializer(ScopeSerializer):
    limit = serializers.IntegerField(default=50, min_value=1, max_value=MAX_TITLES)
