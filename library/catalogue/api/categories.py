"""Categories in the REST API: as records and as a tree."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from library.catalogue.models import Category
from library.catalogue.selectors.categories import CategoryNode, ancestors, category_tree
from library.rest.lists.csv_renderer import LIST_RENDERERS, csv_response, wants_csv
from library.rest.schema.examples import example
from library.rest.serializers import RecordSerializer, validated_query
from library.rest.views import RecordViewSet

#: Clients request deeper levels by `children`. No scheme in use has them, and JSON parsers have limited
#: stacks.
MAX_LEVELS = 50

_PARENT: dict[str, Any] = {
    "id": 5,
    "scheme": "ddc",
    "notation": "500",
    "label_en": "Science",
    "label_zh": "自然科学",
}
_PARENT |= {"parent": None, "books": 2, "books_below": 9}
_CHILD: dict[str, Any] = {
    "id": 12,
    "scheme": "ddc",
    "notation": "535",
    "label_en": "Light",
    "label_zh": "光学",
}
_CHILD |= {"parent": 5, "books": 7, "books_below": 7}


@example(
    "a category",
    {
        "id": 12, "scheme": "ddc", "notation": "535", "label_en": "Light", "label_zh": "光学", "parent": 5,
        "retired_at": None, "replaced_by": None,
    },
    request_fields=["scheme", "notation", "label_en", "label_zh", "parent"],
)  # fmt: skip
class CategorySerializer(RecordSerializer):
    class Meta:
        model = Category
        fields = ["id", "scheme", "notation", "label_en", "label_zh", "parent", "retired_at", "replaced_by"]
        read_only_fields = ["retired_at", "replaced_by"]

    def validate_parent(self, parent: Category | None) -> Category | None:
        if self.instance and parent != self.instance.parent:
            raise serializers.ValidationError(
                _("To move a category, apply a category change: POST /api/v1/taxonomy-changes/apply/.")
            )
        return parent


@example("a category and its books", _CHILD)
class CategoryCountsSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    scheme = serializers.CharField()
    notation = serializers.CharField()
    label_en = serializers.CharField(allow_blank=True)
    label_zh = serializers.CharField(allow_blank=True)
    parent = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]
    books = serializers.IntegerField(help_text="Filed under this category.")
    books_below = serializers.IntegerField(help_text="Filed under this category or its descendants.")


@example("a tree", _PARENT | {"children": [_CHILD | {"children": []}]})
class CategoryTreeSerializer(CategoryCountsSerializer):
    """For the schema only: the view returns the nodes unserialised."""

    children = serializers.SerializerMethodField()

    @extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/CategoryTree"}})
    def get_children(self, node: CategoryNode) -> list[dict[str, Any]]:
        raise NotImplementedError


class TreeSerializer(serializers.Serializer):
    """Query parameters of the tree."""

    scheme = serializers.CharField(
        required=False, allow_blank=True, help_text="Only categories of this scheme."
    )


class CategoryViewSet(RecordViewSet):
    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    filterset_fields = {"scheme": ["exact"], "notation": ["exact", "startswith"], "retired_at": ["isnull"]}
    search_fields = ["notation", "label_en", "label_zh"]
    ordering_fields = ["notation", "label_en", "label_zh"]

    @extend_schema(
        parameters=[TreeSerializer],
        responses=CategoryTreeSerializer(many=True),
        filters=False,
    )
    @action(detail=False, pagination_class=None)
    def tree(self, request: Request) -> Response:
        """Return the open categories as a tree with numbers of books, fifty levels at most."""
        nodes = category_tree(**validated_query(TreeSerializer, request))
        return Response([_nested(node) for node in nodes.values() if node["parent"] not in nodes])

    @extend_schema(
        responses=CategoryCountsSerializer(many=True),
        filters=False,
    )
    @action(detail=True, pagination_class=None, renderer_classes=LIST_RENDERERS)
    def children(self, request: Request, pk: str) -> HttpResponseBase:
        """Return the open categories directly below a category, with numbers of books."""
        _nodes, node = self._nodes_and_node()
        return _rows(request, node["children"])

    @extend_schema(
        responses=CategoryCountsSerializer(many=True),
        filters=False,
    )
    @action(detail=True, pagination_class=None, renderer_classes=LIST_RENDERERS)
    def ancestors(self, request: Request, pk: str) -> HttpResponseBase:
        """Return the categories above a category, topmost first, with numbers of books."""
        nodes, node = self._nodes_and_node()
        return _rows(request, [nodes[key] for key in reversed(ancestors(node["id"], nodes))])

    def _nodes_and_node(self) -> tuple[dict[int, CategoryNode], CategoryNode]:
        category = self.get_object()
        nodes = category_tree()
        if category.pk not in nodes:
            raise NotFound(_("This category has been retired."))
        return nodes, nodes[category.pk]


def _rows(request: Request, nodes: Iterable[CategoryNode]) -> HttpResponseBase:
    rows = [_without_children(node) for node in nodes]
    if wants_csv(request):
        return csv_response(request, serializer=CategoryCountsSerializer(), rows=rows)
    return Response(rows)


def _without_children(node: CategoryNode) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != "children"}


def _nested(node: CategoryNode, levels: int = MAX_LEVELS) -> dict[str, Any]:
    children = [_nested(child, levels - 1) for child in node["children"]] if levels > 1 else []
    return _without_children(node) | {"children": children}
