"""What a figure is asked for, and the figures that are lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from library.analytics.selectors.scope import Scope


@dataclass(frozen=True)
class Asked:
    """What a figure is about.

    Attributes
    ----------
    scope : Scope
    interval : str
        How days are put together.
    now : datetime
    limit : int or None
        Rows that are shown of a list; None: all.
    """

    scope: Scope
    interval: str
    now: datetime
    limit: int | None = None


class Link(NamedTuple):
    """A cell that leads somewhere."""

    text: str
    address: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Listing:
    """A list with its heading; the counterpart of a chart where there is nothing to draw.

    Attributes
    ----------
    name, title, definition : str
        As of a `Chart`.
    header : sequence of str
    rows : iterable of sequences
        Read once.
    total : int
        How many rows there are in all, as far as known; the page may show fewer.
    csv : str
        Address of the whole list as CSV.
    """

    name: str
    title: str
    definition: str
    header: Sequence[str]
    rows: Iterable[Sequence[object]]
    total: int = 0
    csv: str = ""

    kind = "list"

    @property
    def records(self) -> Iterable[Sequence[object]]:
        """The heading and the rows for CSV."""
        yield self.header
        for row in self.rows:
            yield [str(cell) if isinstance(cell, Link) else cell for cell in row]
