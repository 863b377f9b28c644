"""Lists as CSV: all rows of a list instead of one page, streamed while they are read."""

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

#: Rows read at a time; related rows are fetched once per chunk.
CHUNK_SIZE = 500


class CsvRenderer(BaseRenderer):
    """Let clients request CSV by ``?format=csv`` or ``Accept``. The view returns a `csv_response`."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, media_type: str | None = None, context: Any = None) -> Any:
        raise NotImplementedError("Views return a csv_response themselves.")


#: For views that return a list.
LIST_RENDERERS: list[type[BaseRenderer]] = [JSONRenderer, CsvRenderer]


def wants_csv(request: Request) -> bool:
    """Return whether the client requested CSV."""
    return getattr(request.accepted_renderer, "format", "") == CsvRenderer.format


def csv_response(
    request: Request, *, serializer: Serializer, rows: Iterable[dict[str, Any]]
) -> StreamingHttpResponse:
    """Return rows as a CSV file named after the last segment of the path. Lists within a cell are JSON.

    Parameters
    ----------
    serializer
        The serializer of one row. Its fields are the columns; the fields of a nested record are columns too.
    rows
        Serialised. The first row is read at once, so that an error does not truncate the file. Columns that
        it lacks are omitted.
    """
    rows = iter(rows)
    first = list(islice(rows, 1))
    columns = [path for path in _columns(serializer) if not first or path[0] in first[0]]
    records = (_cells(row, columns) for row in chain(first, rows))
    name = request.path.rstrip("/").rpartition("/")[2]
    return csv_stream(name=f"{name}.csv", records=chain([["_".join(path) for path in columns]], records))


def row_chunks(records: QuerySet[Any] | Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield the rows of a list in chunks, read by their primary keys.

    An open cursor would block writes on SQLite, and reading personal data writes audit entries. Rows deleted
    in between are skipped.
    """
    if not isinstance(records, QuerySet):
        yield from (records[start : start + CHUNK_SIZE] for start in range(0, len(records), CHUNK_SIZE))
        return
    keys = list(records.values_list("pk", flat=True))
    for start in range(0, len(keys), CHUNK_SIZE):
        chunk = keys[start : start + CHUNK_SIZE]
        rows = records.in_bulk(chunk)
        yield [rows[key] for key in chunk if key in rows]


def _columns(serializer: Any, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(serializer, ListSerializer):
        serializer = serializer.child
    for name, field in serializer.fields.items():
        if field.write_only:
            continue
        if isinstance(field, Serializer):
            yield from _columns(field, (*parents, name))
        else:
            yield (*parents, name)


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
