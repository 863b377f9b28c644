"""The rows of a loans file."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext as _

from library.people.models import Borrower
from library.tabular import BadCellError, ImportReport, Row, clean_line, longest, quoted

#: The period of loans whose due date is not told: four weeks, the commonest for books in public libraries.
LOAN_PERIOD = timedelta(days=28)
#: No card of a lending library is older; an earlier year stands for "unknown".
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
#: Clocks and time zones of other systems may be off by a day.
CLOCKS_DIFFER = timedelta(days=1)
#: A due date beyond stands for "never".
LONGEST_LOAN = timedelta(days=3653)
MOST_RENEWALS = 32_767  # what PositiveSmallIntegerField holds


@dataclass(frozen=True, slots=True)
class LoanRow:
    """A loan as a file tells it; None where it does not."""

    line: int
    card_number: str
    control_number: str
    borrowed_at: datetime
    due_at: datetime | None
    returned_at: datetime | None
    renewals: int | None

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What makes two rows the same loan."""
        return self.control_number, self.card_number, self.borrowed_at

    @property
    def due(self) -> datetime:
        return self.due_at or self.borrowed_at + LOAN_PERIOD

    def merged(self, other: "LoanRow") -> "LoanRow":
        """Return what two rows say of the same loan: the latest of each, whichever row comes first."""
        return replace(
            self,
            line=min(self.line, other.line),
            due_at=max(filter(None, (self.due_at, other.due_at)), default=None),
            returned_at=max(filter(None, (self.returned_at, other.returned_at)), default=None),
            renewals=max((n for n in (self.renewals, other.renewals) if n is not None), default=None),
        )


def read_loan(row: Row, *, now: datetime, report: ImportReport) -> LoanRow | None:
    """Return the loan a row tells of; report a row that tells of none.

    A date due or a number of renewals that cannot be used is reported and left out. A return that cannot
    be used costs the row: the copy would seem to be out for ever.

    Parameters
    ----------
    row : Row
    now : datetime
    report : ImportReport

    Returns
    -------
    LoanRow or None
    """
    column = "borrower"
    try:
        card_number = _number(row.cells["borrower"])
        column = "book"
        control_number = _number(row.cells["book"])
        column = "borrowed_at"
        borrowed_at = read_date(row.cells["borrowed_at"], latest=now + CLOCKS_DIFFER)
        column = "returned_at"
        returned_at = None
        if row.cells.get(column, "").strip():
            returned_at = read_date(row.cells[column], latest=now + CLOCKS_DIFFER)
            if returned_at < borrowed_at:
                day = f"{returned_at:%Y-%m-%d %H:%M}"
                raise BadCellError(_("Returned %s, before it was borrowed.") % day)
    except BadCellError as error:
        report.skip(row.line, column, error.message)
        return None
    return LoanRow(
        row.line,
        card_number,
        control_number,
        borrowed_at,
        _read_due(row, borrowed_at, report),
        returned_at,
        _read_renewals(row, report),
    )


def read_date(text: str, *, latest: datetime) -> datetime:
    """Return an instant in UTC; one without a time zone is in the library's (the setting TIME_ZONE).

    Raises
    ------
    BadCellError
    """
    try:
        date = datetime.fromisoformat(text.strip())
        if date.tzinfo is None:
            date = date.replace(tzinfo=get_default_timezone())
        date = date.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = _("%s is no date in ISO 8601, such as 2024-05-31 or 2024-05-31T14:30:00Z.")
        raise BadCellError(message % quoted(text)) from error
    if not EARLIEST <= date <= latest:
        values = {"text": quoted(text), "first": f"{EARLIEST:%Y-%m-%d}", "last": f"{latest:%Y-%m-%d}"}
        raise BadCellError(_("%(text)s is not between %(first)s and %(last)s.") % values)
    return date


def _number(text: str) -> str:
    number = clean_line(text)
    most = longest(Borrower, "card_number")
    if not number:
        raise BadCellError(_("Blank."))
    if len(number) > most:
        values = {"text": quoted(number), "most": most}
        raise BadCellError(_("%(text)s is longer than %(most)s characters.") % values)
    return number


def _read_due(row: Row, borrowed_at: datetime, report: ImportReport) -> datetime | None:
    if not (text := row.cells.get("due_at", "").strip()):
        return None
    try:
        due_at = read_date(text, latest=borrowed_at + LONGEST_LOAN)
        if due_at < borrowed_at:
            raise BadCellError(_("%s is before the loan.") % quoted(text))
    except BadCellError as error:
        instead = _("Taken to be %s days after the loan.") % LOAN_PERIOD.days
        report.problem(row.line, "due_at", f"{error.message} {instead}")
        return None
    return due_at


def _read_renewals(row: Row, report: ImportReport) -> int | None:
    if not (text := row.cells.get("renewals", "").strip()):
        return None
    if text.isdecimal() and len(text) <= 5 and int(text) <= MOST_RENEWALS:
        return int(text)
    values = {"text": quoted(text), "most": f"{MOST_RENEWALS:,}"}
    message = _("%(text)s is no number from 0 to %(most)s; left out.") % values
    report.problem(row.line, "renewals", message)
    return None
