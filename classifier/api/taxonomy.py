"""Taxonomy changes in the REST API: shown before they are made, made, undone."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from classifier.services.taxonomy.changes import apply, undo
from classifier.services.taxonomy.preview import preview
from library.admin_site.users import signed_in
from library.catalogue.models import TaxonomyChange
from library.catalogue.services.taxonomy.requests import (
    BooksTo,
    Child,
    Merge,
    Move,
    Retire,
    Rule,
    Split,
    Wish,
)
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet

_NEEDED = {"merge": ("sources", "into"), "split": ("category", "children"), "retire": ("category",),
           "move": ("category", "parent")}  # fmt: skip


class MayChangeCategories(BasePermission):
    """A taxonomy change changes categories, so their permission counts."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("catalogue.change_category")


class TaxonomyChangeSerializer(serializers.ModelSerializer):
    made_by = serializers.CharField(source="made_by.username", read_only=True, default=None)
    undone_by = serializers.CharField(source="undone_by.username", read_only=True, default=None)
    parameters = serializers.DictField(read_only=True, help_text="What was asked for.")
    made = serializers.ListField(
        child=serializers.IntegerField(), read_only=True, help_text="Categories that a split made."
    )
    kept = serializers.IntegerField(
        read_only=True, help_text="Books that stayed when it was undone: filed otherwise since."
    )

    class Meta:
        model = TaxonomyChange
        fields = [
            "id", "kind", "category", "words", "parameters", "made", "books", "undecided", "made_at",
            "made_by", "undone_at", "undone_by", "kept",
        ]  # fmt: skip


class ChildSerializer(serializers.Serializer):
    notation = serializers.CharField(max_length=200)
    label_en = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    label_zh = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    books = serializers.ListField(child=serializers.CharField(), default=list, help_text="Control numbers.")
    words = serializers.ListField(child=serializers.CharField(), default=list)


class WishSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=TaxonomyChange.Kind.choices)
    category = serializers.IntegerField(required=False, help_text="To split, retire or move.")
    sources = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Categories to merge."
    )
    into = serializers.IntegerField(required=False, help_text="The category to merge into.")
    # REST framework's own stubs keep the name for the serializer around a field.
    parent = serializers.IntegerField(  # type: ignore[assignment]
        required=False, allow_null=True, help_text="Where to move it; null is the top."
    )
    books_to = serializers.ChoiceField(
        choices=BooksTo.choices,
        default=BooksTo.PARENT.value,
        help_text="Where a retired category's books go.",
    )
    rule = serializers.ChoiceField(
        choices=Rule.choices, default=Rule.BOOKS.value, help_text="How a split finds each book's category."
    )
    children = ChildSerializer(many=True, required=False, help_text="What to split into.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in _NEEDED[attrs["kind"]] if name not in attrs]:
            raise serializers.ValidationError(dict.fromkeys(missing, self.error_messages["required"]))
        return attrs

    def wish(self) -> Wish:
        """Return what was asked for; the serializer must be valid."""
        given = self.validated_data
        if given["kind"] == TaxonomyChange.Kind.MERGE:
            return Merge(sources=tuple(given["sources"]), into=given["into"])
        if given["kind"] == TaxonomyChange.Kind.RETIRE:
            return Retire(category=given["category"], books_to=given["books_to"])
        if given["kind"] == TaxonomyChange.Kind.MOVE:
            return Move(category=given["category"], parent=given["parent"])
        children = tuple(
            Child(**child | {"books": tuple(child["books"]), "words": tuple(child["words"])})
            for child in given["children"]
        )
        return Split(category=given["category"], children=children, rule=given["rule"])


class PreviewSerializer(serializers.Serializer):
    kind = serializers.CharField()
    category = serializers.CharField()
    words = serializers.CharField(help_text="From what to what.")
    books = serializers.DictField(
        child=serializers.IntegerField(), help_text="`moved`, of which `trusted` and `model`; `undecided`."
    )
    to = serializers.ListField(child=serializers.DictField(), help_text="Where how many books go.")
    undecided = serializers.ListField(child=serializers.CharField(), help_text="Some control numbers.")
    suggestions = serializers.IntegerField(help_text="Books whose suggestions change.")
    loans = serializers.DictField(child=serializers.IntegerField(), help_text="`all` and `open`.")
    categories = serializers.IntegerField(help_text="Categories that get another parent.")
    accuracy = serializers.DictField(
        allow_null=True,
        help_text="Of the active version on its held-out books, `now` and `then`, and of the categories in "
        "question, `about`; null where it cannot be known.",
    )
    reviews = serializers.DictField(help_text="`needed`: books that a person should look at, and why.")
    notes = serializers.ListField(child=serializers.CharField(), help_text="What cannot be known, in words.")


class TaxonomyChangeViewSet(ReadViewSet):
    """Changes of the classification scheme, the newest first."""

    queryset = TaxonomyChange.objects.select_related("made_by", "undone_by")
    serializer_class = TaxonomyChangeSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = {"kind": ["exact"], "category": ["exact"], "undone_at": ["isnull"]}
    ordering_fields = ["made_at"]

    @extend_schema(request=WishSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"], permission_classes=[MayChangeCategories])
    def preview(self, request: Request) -> Response:
        """Say what a change would do, and change nothing."""
        return Response(preview(wish=_asked(request), now=timezone.now()))

    @extend_schema(request=WishSerializer, responses={201: TaxonomyChangeSerializer})
    @action(detail=False, methods=["post"], permission_classes=[MayChangeCategories])
    def apply(self, request: Request) -> Response:
        """Make a change, in one transaction."""
        change = apply(wish=_asked(request), now=timezone.now(), user=signed_in(request.user))
        return Response(self.get_serializer(change).data, status=201)

    @extend_schema(request=None, responses=TaxonomyChangeSerializer)
    @action(detail=True, methods=["post"], permission_classes=[MayChangeCategories])
    def undo(self, request: Request, pk: str) -> Response:
        """Take a change back; books that were filed otherwise since stay."""
        change = undo(change=self.get_object(), now=timezone.now(), user=signed_in(request.user))
        return Response(self.get_serializer(change).data)


def _asked(request: Request) -> Wish:
    given = WishSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    return given.wish()
