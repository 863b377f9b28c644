"""Response bodies of the statistics API."""

from typing import Any

from rest_framework import serializers

from library.catalogue.models import Book


class GroupSerializer(serializers.Serializer):
    key = serializers.IntegerField(
        allow_null=True, help_text="Null for events without a value, or for “Other and unknown”."
    )
    code = serializers.CharField()
    name = serializers.CharField()


class LoansRowSerializer(serializers.Serializer):
    period = serializers.DateField(help_text="First day of the period.")
    group = GroupSerializer(help_text="Without `group_by`, one group of all events.")
    checkouts = serializers.IntegerField(required=False, allow_null=True)
    renewals = serializers.IntegerField(required=False, allow_null=True)
    checkins = serializers.IntegerField(required=False, allow_null=True)
    late = serializers.IntegerField(required=False, allow_null=True)
    holds = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Only the requested metrics are present. A metric is null if the group is so small that a "
        "person could be recognised.",
    )

    def to_representation(self, row: dict[str, Any]) -> dict[str, Any]:
        data = super().to_representation(row)
        return {name: value for name, value in data.items() if name in row}


class BorrowedBookSerializer(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["id", "control_number", "title", "authors"]


class MostBorrowedRowSerializer(serializers.Serializer):
    book = BorrowedBookSerializer()
    checkouts = serializers.IntegerField()


class CategoryUseRowSerializer(serializers.Serializer):
    group = GroupSerializer(help_text="The category; its subcategories have their own rows.")
    copies = serializers.IntegerField(help_text="Copies held now, without lost and withdrawn copies.")
    checkouts = serializers.IntegerField()
    turnover = serializers.FloatField(allow_null=True, help_text="Checkouts per copy.")
    titles = serializers.IntegerField(help_text="Titles with at least one copy.")
    never_borrowed = serializers.IntegerField(help_text="Titles of these that have never been borrowed.")
    mean_year = serializers.FloatField(allow_null=True, help_text="Average year of publication.")


class StatisticsSerializer(serializers.Serializer):
    refreshed_at = serializers.DateTimeField(
        allow_null=True, help_text="Events up to this time are counted; null before the first refresh."
    )


class LoansSerializer(StatisticsSerializer):
    results = LoansRowSerializer(many=True)


class MostBorrowedSerializer(StatisticsSerializer):
    results = MostBorrowedRowSerializer(many=True)


class CategoryUseSerializer(StatisticsSerializer):
    results = CategoryUseRowSerializer(many=True)
