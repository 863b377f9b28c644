"""CSV files that are sent row by row, however long they are."""

from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

from library.tabular.writing import CsvWriter


class _LastLine:
    """Keeps the line that was written last."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def csv_stream(*, name: str, records: Iterable[Iterable[object]]) -> StreamingHttpResponse:
    """Return a CSV file to be saved, with cells that no spreadsheet runs.

    Parameters
    ----------
    name : str
        Of the file.
    records : iterable of iterables
        The heading and the rows, read as they are sent.
    """

    def lines() -> Iterator[str]:
        sink = _LastLine()
        writer = CsvWriter(sink)  # type: ignore[arg-type]  # all it asks for is write
        # The mark tells spreadsheets that it is UTF-8.
        yield "\ufeff"
        for record in records:
            writer.writerow(record)
            yield sink.text

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
