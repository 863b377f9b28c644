"""Lists as tables: all the rows of a list, not a page of them, as CSV that is sent while it is read."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import ListSerializer, Serializer

from library.tabular.streaming import csv_stream

#: Rows that are read at once: what they refer to is asked for once a chunk.
CHUNK = 500


class CsvRenderer(BaseRenderer):
    """Lets a client ask for CSV, by ``?format=csv`` or ``Accept``; the view sends `table`."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, media_type: str | None = None, context: Any = None) -> Any:
        raise NotImplementedError("Views send tables themselves.")


#: Of views that answer with a list.
LIST_RENDERERS: list[type[BaseRenderer]] = [JSONRenderer, CsvRenderer]


def wants_table(request: Request) -> bool:
    """Return whether a client asked for CSV."""
    return getattr(request.accepted_renderer, "format", "") == CsvRenderer.format


def table(
    request: Request, *, serializer: Serializer, rows: Iterable[dict[str, Any]]
) -> StreamingHttpResponse:
    """Return rows as a CSV file that is named as the last part of the address.

    Parameters
    ----------
    request : Request
    serializer : Serializer
        Of one row: its fields are the columns, those of a record in it columns of their own.
    rows : iterable of dict
        Serialised; the first is read at once, so that what cannot be read at all is no half-sent file.

    Returns
    -------
    StreamingHttpResponse
        A list within a cell is JSON, a column that the first row does not have is left out.
    """
    left = iter(rows)
    first = list(islice(left, 1))
    columns = [path for path in _columns(serializer) if not first or path[0] in first[0]]
    records = (_cells(row, columns) for row in chain(first, left))
    name = request.path.rstrip("/").rpartition("/")[2]
    return csv_stream(name=f"{name}.csv", records=chain([["_".join(path) for path in columns]], records))


def chunks(found: QuerySet[Any] | Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield the rows of a list some at a time, by their keys.

    A cursor that stays open would keep SQLite from writing meanwhile, and who reads personal data is written
    down. Rows that go meanwhile are left out.
    """
    if not isinstance(found, QuerySet):
        yield from (found[start : start + CHUNK] for start in range(0, len(found), CHUNK))
        return
    keys = list(found.values_list("pk", flat=True))
    for start in range(0, len(keys), CHUNK):
        wanted = keys[start : start + CHUNK]
        rows = found.in_bulk(wanted)
        yield [rows[key] for key in wanted if key in rows]


def _columns(serializer: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(serializer, ListSerializer):
        serializer = serializer.child
    for name, field in serializer.fields.items():
        if field.write_only:
            continue
        if isinstance(field, Serializer):
            yield from _columns(field, (*above, name))
        else:
            yield (*above, name)


def _cells(row: dict[str, Any], columns: Iterable[tuple[str, ...]]) -> Iterator[object]:
    for path in columns:
        value: Any = row
        for name in path:
            value = None if value is None else value.get(name)
        yield _cell(value)


def _cell(value: Any) -> object:
    if value is None:
        return ""
    if isinstance(value, bool | dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value
