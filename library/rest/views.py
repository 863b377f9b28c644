"""What the endpoints of all apps share."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from django.http import HttpResponseBase
from rest_framework import generics, mixins, viewsets
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from library.rest.lists.csv_renderer import CsvRenderer, chunks, table, wants_table


class ListMixin(mixins.ListModelMixin, generics.GenericAPIView):
    """A list: page by page as JSON, or as a whole as CSV."""

    def get_renderers(self) -> list[BaseRenderer]:
        is_list = getattr(self, "action", "list") == "list"
        return [*super().get_renderers(), *([CsvRenderer()] if is_list else [])]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        found = self.filter_queryset(self.get_queryset())
        if wants_table(request):
            rows = chain.from_iterable(map(self.told, chunks(found)))
            row: Any = self.get_serializer()
            return table(request, serializer=row, rows=rows)
        page = self.paginate_queryset(found)
        if page is None:
            return Response(self.told(found))
        return self.get_paginated_response(self.told(page))

    def told(self, records: Iterable[Any]) -> Sequence[dict[str, Any]]:
        """Return records as they are sent; all that a list tells goes through here."""
        return self.get_serializer(records, many=True).data


class ReadViewSet(ListMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """List and read."""


class RecordViewSet(ReadViewSet, mixins.CreateModelMixin, mixins.UpdateModelMixin):
    """List, read, create and change.

    No PUT: a value left out by mistake would be cleared; PATCH changes what it names. No DELETE: records
    that loans refer to are kept.
    """

    http_method_names = ["get", "post", "patch", "head", "options"]


class ListView(ListMixin):
    """A list at an address of its own."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return self.list(request, *args, **kwargs)
