"""Which copy was lent: a copy is with one borrower at a time."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime

#: A half-open span of time: from the loan until before the return.
Span = tuple[datetime, datetime]

#: The end of a loan still open.
FOREVER = datetime.max.replace(tzinfo=UTC)


def assign_copies(*, loans: Sequence[Span], copies: Sequence[Sequence[Span]]) -> list[int]:
    """Spread the loans of one book over its copies, so that no two loans of a copy overlap.

    Each loan goes to the first copy that is free; if none was lent before, that takes the fewest copies.

    Parameters
    ----------
    loans : sequence of Span
        In order of time.
    copies : sequence of sequence of Span
        When each copy the book has was lent already.

    Returns
    -------
    list of int
        For each loan the index of its copy; an index past the last copy stands for a new one.
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
    """When a copy is lent: spans that do not overlap, in order."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []
        for start, end in sorted(spans):
            # What was entered by hand may overlap.
            if self._ends and start < self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def add(self, start: datetime, end: datetime) -> bool:
        """Enter a loan if the copy is free; return whether it was."""
        after = bisect_left(self._starts, end)
        if after and self._ends[after - 1] > start:
            return False
        self._starts.insert(after, start)
        self._ends.insert(after, end)
        return True
