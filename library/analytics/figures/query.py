"""The query that a dashboard answers, and the tables it shows beside its charts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from library.analytics.selectors.scope import Scope


@dataclass(frozen=True)
class StatisticsQuery:
    """Parameters of a figure.

    Attributes
    ----------
    interval
        Length of the periods; one of `INTERVALS`.
    limit
        Table rows to show; None: all, for CSV.
    """

    scope: Scope
    interval: str
    now: datetime
    limit: int | None = None


class Link(NamedTuple):
    """A table cell that is a link."""

    text: str
    url: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Table:
    """A dashboard table, the counterpart of a `Chart`.

    Attributes
    ----------
    name, title, definition
        As in a `Chart`.
    rows
        Can be read only once.
    total
        Total number of rows, if known; the page may show fewer.
    csv
        URL of all rows as CSV.
    """

    name: str
    title: str
    definition: str
    header: Sequence[str]
    rows: Iterable[Sequence[object]]
    total: int = 0
    csv: str = ""

    kind = "table"

    @property
    def records(self) -> Iterable[Sequence[object]]:
        """The header and the rows for CSV."""
        yield self.header
        for row in self.rows:
            yield [str(cell) if isinstance(cell, Link) else cell for cell in row]
