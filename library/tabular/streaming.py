"""CSV responses, streamed row by row."""

from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

from library.tabular.writing import CsvWriter


class _LastLine:
    """A file that keeps the last line written."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def csv_stream(*, name: str, records: Iterable[Iterable[object]]) -> StreamingHttpResponse:
    """Return a CSV download whose cells no spreadsheet runs as formulas.

    Parameters
    ----------
    name
        File name.
    records
        The header and the rows, consumed while sending.
    """

    def lines() -> Iterator[str]:
        sink = _LastLine()
        writer = CsvWriter(sink)  # type: ignore[arg-type]  # it needs only `write`
        # The byte order mark makes spreadsheets read it as UTF-8.
        yield "\ufeff"
        for record in records:
            writer.writerow(record)
            yield sink.text

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
