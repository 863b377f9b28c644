"""What is answered."""

from typing import Any

from rest_framework import serializers

from library.catalogue.models import Book


class GroupSerializer(serializers.Serializer):
    key = serializers.IntegerField(allow_null=True, help_text="Null: of none, or others and unknown.")
    code = serializers.CharField()
    name = serializers.CharField()


class LoansRowSerializer(serializers.Serializer):
    period = serializers.DateField(help_text="Its first day.")
    group = GroupSerializer(help_text="Without `group_by`, all.")
    checkouts = serializers.IntegerField(required=False, allow_null=True)
    renewals = serializers.IntegerField(required=False, allow_null=True)
    checkins = serializers.IntegerField(required=False, allow_null=True)
    late = serializers.IntegerField(required=False, allow_null=True)
    holds = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Only the metrics asked for are there; null where so few are in the group that somebody "
        "could be recognised.",
    )

    def to_representation(self, row: dict[str, Any]) -> dict[str, Any]:
        told = super().to_representation(row)
        return {name: value for name, value in told.items() if name in row}


class LentBookSerializer(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["id", "control_number", "title", "authors"]


class MostLoanedRowSerializer(serializers.Serializer):
    book = LentBookSerializer()
    checkouts = serializers.IntegerField()


class CategoryUseRowSerializer(serializers.Serializer):
    group = GroupSerializer(help_text="The category; those below it have rows of their own.")
    copies = serializers.IntegerField(help_text="Held now, without lost and withdrawn ones.")
    checkouts = serializers.IntegerField()
    turnover = serializers.FloatField(allow_null=True, help_text="Checkouts a copy.")
    titles = serializers.IntegerField(help_text="With a copy.")
    never = serializers.IntegerField(help_text="Of these, never lent since ever.")
    year = serializers.FloatField(allow_null=True, help_text="Of publication, on average.")


class AnswerSerializer(serializers.Serializer):
    refreshed_at = serializers.DateTimeField(
        allow_null=True, help_text="Events up to then are counted; null: none yet."
    )


class LoansSerializer(AnswerSerializer):
    results = LoansRowSerializer(many=True)


class MostLoanedSerializer(AnswerSerializer):
    results = MostLoanedRowSerializer(many=True)


class CategoryUseSerializer(AnswerSerializer):
    results = CategoryUseRowSerializer(many=True)
