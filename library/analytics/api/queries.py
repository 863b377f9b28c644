"""What can be asked for, in the address."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers

from library.analytics.selectors.loans import GROUPS, METRICS
from library.analytics.selectors.scope import INTERVALS, last_year
from library.catalogue.models import Branch, Category

#: One by one, more days of each group would be a file for a database.
MOST_DAYS = 800
MOST_TITLES = 1_000


class ScopeSerializer(serializers.Serializer):
    """What is counted, in the address."""

    def get_fields(self) -> dict[str, serializers.Field]:
        # Not written as attributes: "from" is a word of Python's.
        return {
            "from": serializers.DateField(
                required=False,
                source="start",
                help_text="The first day; without it, the first of this month a year ago.",
            ),
            "to": serializers.DateField(
                required=False, source="end", help_text="The last day; without it, today."
            ),
            "branch": serializers.PrimaryKeyRelatedField(
                queryset=Branch.objects.all(), required=False, help_text="Only what happened there."
            ),
            "category": serializers.PrimaryKeyRelatedField(
                queryset=Category.objects.all(),
                required=False,
                help_text="Only books filed under it now, or under a category below it.",
            ),
            **super().get_fields(),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = self.initial_data.keys() - self.fields.keys() - {"format"}
        if unknown:
            known = ", ".join(self.fields)
            text = _("There is no such parameter. There are: %(known)s.") % {"known": known}
            raise serializers.ValidationError({name: [text] for name in sorted(unknown)})
        start, end = last_year(now=timezone.now())
        attrs = {"start": start, "end": end} | attrs
        if attrs["start"] > attrs["end"]:
            raise serializers.ValidationError({"to": [_("The last day is before the first.")]})
        return attrs


class LoansQuerySerializer(ScopeSerializer):
    group_by = serializers.ChoiceField(choices=list(GROUPS), default="none")
    interval = serializers.ChoiceField(
        choices=[*INTERVALS, "total"],
        default="month",
        help_text="Weeks begin on Monday; `total` puts all days together.",
    )
    metrics = serializers.CharField(
        default="checkouts",
        help_text=f"With commas between: {', '.join(METRICS)}. Late is the checkins after the due date.",
    )

    def validate_metrics(self, text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        if wrong := [name for name in names if name not in METRICS]:
            values = {"wrong": ", ".join(wrong), "known": ", ".join(METRICS)}
            text = _("There is no metric %(wrong)s. There are: %(known)s.")
            raise serializers.ValidationError(text % values)
        return list(dict.fromkeys(names))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs["interval"] == "day" and (attrs["end"] - attrs["start"]).days > MOST_DAYS:
            text = _("That is too many days to show one by one: choose weeks.")
            raise serializers.ValidationError({"interval": [text]})
        return attrs


class TitlesQuerySerializer(ScopeSerializer):
    limit = serializers.IntegerField(default=50, min_value=1, max_value=MOST_TITLES)
