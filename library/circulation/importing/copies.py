"""Assign imported loans to copies, so that a copy has one borrower at a time."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime

#: A half-open interval: from the checkout until before the return.
Span = tuple[datetime, datetime]

#: End of an open loan.
FOREVER = datetime.max.replace(tzinfo=UTC)


def assign_copies(*, loans: Sequence[Span], copies: Sequence[Sequence[Span]]) -> list[int]:
    """Assign the loans of a book to its copies, so that no two loans of a copy overlap.

    Each loan goes to the first free copy. If the copies have no earlier loans, this needs the fewest copies.

    Parameters
    ----------
    loans
        In chronological order.
    copies
        Earlier loans of each copy of the book.

    Returns
    -------
    list of int
        Index of the copy for each loan; an index past the last copy means a new copy.
    """
    timetables = [_Timetable(spans) for spans in copies]
    assigned: list[int] = []
    for start, end in loans:
        index = next(
            (n for n, timetable in enumerate(timetables) if timetable.add(start, end)), len(timetables)
        )
        if index == len(timetables):
            timetables.append(_Timetable([(start, end)]))
        assigned.append(index)
    return assigned


class _Timetable:
    """Loans of a copy as sorted spans without overlaps."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []
        for start, end in sorted(spans):
            # Loans that were entered by hand may overlap.
            if self._ends and start < self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def add(self, start: datetime, end: datetime) -> bool:
        """Add a loan if the copy is free; return whether it was."""
        after = bisect_left(self._starts, end)
        if after and self._ends[after - 1] > start:
            return False
        self._starts.insert(after, start)
        self._ends.insert(after, end)
        return True
