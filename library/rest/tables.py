"""Lists as tables: CSV with a heading, one row a record, and no cell that a spreadsheet runs."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from django.db.models import Model, QuerySet
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.utils.encoders import JSONEncoder

from library.tabular.streaming import csv_stream

#: Rows that are read and sent together.
AT_ONCE = 500


class CsvRenderer(BaseRenderer):
    """Lets a client ask for CSV, by ``Accept: text/csv`` or ``format=csv``.

    It renders a list that an answer has as a whole; one without end is streamed by its view.
    """

    media_type = "text/csv"
    format = "csv"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        rows = data["results"] if isinstance(data, Mapping) else data
        serializer: Serializer = rows.serializer.child
        response = renderer_context["response"]
        name = name_of(renderer_context["request"])
        table = csv_stream(name=name, records=records(serializer=serializer, rows=rows))
        response["Content-Disposition"] = table["Content-Disposition"]
        return b"".join(table)


#: Of a view that answers with a list.
LIST_RENDERERS = [JSONRenderer, CsvRenderer]


def is_table(request: Request) -> bool:
    """Return whether CSV is asked for."""
    return getattr(request.accepted_renderer, "format", "") == CsvRenderer.format


def name_of(request: Request) -> str:
    """Return what to call the file: what the address ends with that is no number."""
    parts = [part for part in request.path.split("/") if part and not part.isdecimal()]
    return f"{parts[-1]}.csv"


def records(*, serializer: Serializer, rows: Iterable[Mapping[str, Any]]) -> Iterator[list[object]]:
    """Yield the heading and the rows.

    Parameters
    ----------
    serializer : Serializer
        Of one row; its fields are the columns, those of a record within in columns of their own.
    rows : iterable of mappings
        As they are answered in JSON.
    """
    paths = list(_paths(serializer))
    yield ["_".join(path) for path in paths]
    for row in rows:
        yield [_cell(row, path) for path in paths]


def chunks(rows: QuerySet[Any] | Sequence[Any]) -> Iterator[list[Model]]:
    """Yield all rows of a list, so many at a time.

    Only their keys are kept, eight bytes each, and read at once: so nothing is listed twice or left out for what
    others write meanwhile, and a slow client holds no transaction open.
    """
    if not isinstance(rows, QuerySet):
        yield from (list(rows[start : start + AT_ONCE]) for start in range(0, len(rows), AT_ONCE))
        return
    keys = array("q", rows.values_list("pk", flat=True).iterator(chunk_size=AT_ONCE))
    one_by_one = iter(keys)
    while some := list(islice(one_by_one, AT_ONCE)):
        found = rows.in_bulk(some)
        yield [found[key] for key in some if key in found]  # one may be deleted meanwhile


def _paths(serializer: Serializer) -> Iterator[tuple[str, ...]]:
    for name, field in serializer.fields.items():
        if field.write_only:
            continue
        if isinstance(field, Serializer):
            yield from ((name, *below) for below in _paths(field))
        else:
            yield (name,)


def _cell(row: Mapping[str, Any], path: Sequence[str]) -> object:
    value: Any = row
    for name in path:
        value = None if value is None else value.get(name)
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, cls=JSONEncoder)
    return value
