"""Base classes of the endpoints of all apps."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from django.http import HttpResponseBase
from rest_framework import generics, mixins, viewsets
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from library.rest.lists.csv_renderer import CsvRenderer, csv_response, row_chunks, wants_csv


class ListMixin(mixins.ListModelMixin, generics.GenericAPIView):
    """A list: paginated as JSON, or complete as CSV."""

    def get_renderers(self) -> list[BaseRenderer]:
        is_list = getattr(self, "action", "list") == "list"
        return [*super().get_renderers(), *([CsvRenderer()] if is_list else [])]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        records = self.filter_queryset(self.get_queryset())
        if wants_csv(request):
            rows = chain.from_iterable(map(self.serialize_rows, row_chunks(records)))
            row: Any = self.get_serializer()
            return csv_response(request, serializer=row, rows=rows)
        page = self.paginate_queryset(records)
        if page is None:
            return Response(self.serialize_rows(records))
        return self.get_paginated_response(self.serialize_rows(page))

    def serialize_rows(self, records: Iterable[Any]) -> Sequence[dict[str, Any]]:
        """Return records as sent to the client. Every row of every list passes through here."""
        return self.get_serializer(records, many=True).data


class ReadViewSet(ListMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """List and read records."""


class RecordViewSet(ReadViewSet, mixins.CreateModelMixin, mixins.UpdateModelMixin):
    """List, read, create and change records.

    No PUT: an omitted value would be cleared, whereas PATCH changes only the values sent. No DELETE: loans
    refer to the records.
    """

    http_method_names = ["get", "post", "patch", "head", "options"]


class ListView(ListMixin):
    """A list with a URL of its own."""

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return self.list(request, *args, **kwargs)
