"""Category changes in the REST API: preview, apply, undo."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.permissions import CanChangeCategories
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
    TaxonomyChangeRequest,
)
from library.rest.auth.permissions import PersonalDataPermissions
from library.rest.views import ReadViewSet

_REQUIRED_FIELDS = {"merge": ("sources", "into"), "split": ("category", "children"), "retire": ("category",),
           "move": ("category", "parent")}  # fmt: skip


class TaxonomyChangeSerializer(serializers.ModelSerializer):
    created_by = serializers.CharField(source="created_by.username", read_only=True, default=None)
    undone_by = serializers.CharField(source="undone_by.username", read_only=True, default=None)
    parameters = serializers.DictField(read_only=True, help_text="The requested change.")
    created_categories = serializers.ListField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="IDs of the categories that a split created.",
    )
    kept = serializers.IntegerField(
        read_only=True, help_text="Books not moved back when the change was undone: they were refiled since."
    )

    class Meta:
        model = TaxonomyChange
        fields = [
            "id", "kind", "category", "summary", "parameters", "created_categories", "books", "undecided",
            "created_at", "created_by", "undone_at", "undone_by", "kept",
        ]  # fmt: skip


class ChildSerializer(serializers.Serializer):
    notation = serializers.CharField(max_length=200)
    label_en = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    label_zh = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    books = serializers.ListField(
        child=serializers.CharField(), default=list, help_text="Control numbers of its books."
    )
    words = serializers.ListField(child=serializers.CharField(), default=list)


class TaxonomyChangeRequestSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=TaxonomyChange.Kind.choices)
    category = serializers.IntegerField(
        required=False, help_text="ID of the category to split, retire or move."
    )
    sources = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="IDs of the categories to merge."
    )
    into = serializers.IntegerField(required=False, help_text="ID of the category to merge into.")
    # REST framework's type stubs declare another `parent`.
    parent = serializers.IntegerField(  # type: ignore[assignment]
        required=False, allow_null=True, help_text="ID of the new parent; null for the top level."
    )
    books_to = serializers.ChoiceField(
        choices=BooksTo.choices,
        default=BooksTo.PARENT.value,
        help_text="Where the books of a retired category are moved.",
    )
    rule = serializers.ChoiceField(
        choices=Rule.choices,
        default=Rule.BOOKS.value,
        help_text="How a split assigns books to the new categories.",
    )
    children = ChildSerializer(many=True, required=False, help_text="The new categories of a split.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if missing := [name for name in _REQUIRED_FIELDS[attrs["kind"]] if name not in attrs]:
            raise serializers.ValidationError(dict.fromkeys(missing, self.error_messages["required"]))
        return attrs

    def change_request(self) -> TaxonomyChangeRequest:
        """Return the requested change; the serializer must be valid."""
        data = self.validated_data
        if data["kind"] == TaxonomyChange.Kind.MERGE:
            return Merge(sources=tuple(data["sources"]), into=data["into"])
        if data["kind"] == TaxonomyChange.Kind.RETIRE:
            return Retire(category=data["category"], books_to=data["books_to"])
        if data["kind"] == TaxonomyChange.Kind.MOVE:
            return Move(category=data["category"], parent=data["parent"])
        children = tuple(
            Child(**child | {"books": tuple(child["books"]), "words": tuple(child["words"])})
            for child in data["children"]
        )
        return Split(category=data["category"], children=children, rule=data["rule"])


class PreviewSerializer(serializers.Serializer):
    kind = serializers.CharField()
    category = serializers.CharField()
    summary = serializers.CharField(help_text="Categories before and after the change.")
    books = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Numbers of books: `moved`, of these `trusted` (filed by a person or an import) and "
        "`model`; `undecided`.",
    )
    to = serializers.ListField(
        child=serializers.DictField(), help_text="Target categories with the number of books."
    )
    undecided = serializers.ListField(
        child=serializers.CharField(), help_text="Control numbers of some undecided books."
    )
    suggestions = serializers.IntegerField(help_text="Number of books whose suggestions change.")
    loans = serializers.DictField(
        child=serializers.IntegerField(), help_text="Loans of the moved books: `all` and `open`."
    )
    categories = serializers.IntegerField(help_text="Number of categories with a new parent.")
    accuracy = serializers.DictField(
        allow_null=True,
        help_text="Accuracy of the active version on its held-out books before (`now`) and after (`then`) "
        "the change, and for the affected categories (`about`); null if unknown.",
    )
    reviews = serializers.DictField(
        help_text="`needed`: number of books to review afterwards, with the reasons."
    )
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="What cannot be estimated, as text."
    )


class TaxonomyChangeViewSet(ReadViewSet):
    """Changes of the categories, newest first."""

    queryset = TaxonomyChange.objects.select_related("created_by", "undone_by")
    serializer_class = TaxonomyChangeSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = {"kind": ["exact"], "category": ["exact"], "undone_at": ["isnull"]}
    ordering_fields = ["created_at"]

    @extend_schema(request=TaxonomyChangeRequestSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"], permission_classes=[CanChangeCategories])
    def preview(self, request: Request) -> Response:
        """Preview the effects of a change without applying it."""
        return Response(preview(change_request=_change_request(request), now=timezone.now()))

    @extend_schema(request=TaxonomyChangeRequestSerializer, responses={201: TaxonomyChangeSerializer})
    @action(detail=False, methods=["post"], permission_classes=[CanChangeCategories])
    def apply(self, request: Request) -> Response:
        """Apply a change in one transaction."""
        change = apply(
            change_request=_change_request(request), now=timezone.now(), user=signed_in(request.user)
        )
        return Response(self.get_serializer(change).data, status=201)

    @extend_schema(request=None, responses=TaxonomyChangeSerializer)
    @action(detail=True, methods=["post"], permission_classes=[CanChangeCategories])
    def undo(self, request: Request, pk: str) -> Response:
        """Undo a change. Books that were refiled since are not moved back."""
        change = undo(change=self.get_object(), now=timezone.now(), user=signed_in(request.user))
        return Response(self.get_serializer(change).data)


def _change_request(request: Request) -> TaxonomyChangeRequest:
    serializer = TaxonomyChangeRequestSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.change_request()
