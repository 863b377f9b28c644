"""Parse the rows of a loans file."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext as _

from library.people.models import Borrower
from library.tabular import BadCellError, ImportReport, Row, clean_line, max_length, quoted

#: Loan period when no due date is given: four weeks, the most common period in public libraries.
LOAN_PERIOD = timedelta(days=28)
#: Earlier years mean "unknown": no library card is that old.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
#: Clocks and time zones of other systems may be off by a day.
CLOCK_TOLERANCE = timedelta(days=1)
#: A due date beyond this means "never".
MAX_LOAN_PERIOD = timedelta(days=3653)
MAX_RENEWALS = 32_767  # limit of PositiveSmallIntegerField


@dataclass(frozen=True, slots=True)
class LoanRow:
    """A loan as given in a file; None means not given."""

    line: int
    card_number: str
    control_number: str
    borrowed_at: datetime
    due_at: datetime | None
    returned_at: datetime | None
    renewals: int | None

    @property
    def key(self) -> tuple[str, str, datetime]:
        """Key that identifies the loan."""
        return self.control_number, self.card_number, self.borrowed_at

    @property
    def due(self) -> datetime:
        return self.due_at or self.borrowed_at + LOAN_PERIOD

    def merged(self, other: "LoanRow") -> "LoanRow":
        """Merge two rows of the same loan: the latest value of each field, in either order of rows."""
        return replace(
            self,
            line=min(self.line, other.line),
            due_at=max(filter(None, (self.due_at, other.due_at)), default=None),
            returned_at=max(filter(None, (self.returned_at, other.returned_at)), default=None),
            renewals=max((n for n in (self.renewals, other.renewals) if n is not None), default=None),
        )


def read_loan(row: Row, *, now: datetime, report: ImportReport) -> LoanRow | None:
    """Parse a row; return None and report the problem if the row cannot be used.

    An invalid due date or number of renewals is reported and ignored. An invalid return time skips the row:
    otherwise the copy would stay on loan for ever.
    """
    column = "borrower"
    try:
        card_number = _number(row.cells["borrower"])
        column = "book"
        control_number = _number(row.cells["book"])
        column = "borrowed_at"
        borrowed_at = read_date(row.cells["borrowed_at"], latest=now + CLOCK_TOLERANCE)
        column = "returned_at"
        returned_at = None
        if row.cells.get(column, "").strip():
            returned_at = read_date(row.cells[column], latest=now + CLOCK_TOLERANCE)
            if returned_at < borrowed_at:
                day = f"{returned_at:%Y-%m-%d %H:%M}"
                raise BadCellError(_("The return time %s is before the checkout time.") % day)
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
    """Parse an ISO 8601 time and return it in UTC; without an offset it is in the setting TIME_ZONE.

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
        message = _("%s is not a valid date. Use ISO 8601, such as 2024-05-31 or 2024-05-31T14:30:00Z.")
        raise BadCellError(message % quoted(text)) from error
    if not EARLIEST <= date <= latest:
        values = {"text": quoted(text), "first": f"{EARLIEST:%Y-%m-%d}", "last": f"{latest:%Y-%m-%d}"}
        raise BadCellError(_("%(text)s is not between %(first)s and %(last)s.") % values)
    return date


def _number(text: str) -> str:
    number = clean_line(text)
    limit = max_length(Borrower, "card_number")
    if not number:
        raise BadCellError(_("A value is required."))
    if len(number) > limit:
        values = {"text": quoted(number), "most": limit}
        raise BadCellError(_("%(text)s is longer than %(most)s characters.") % values)
    return number


def _read_due(row: Row, borrowed_at: datetime, report: ImportReport) -> datetime | None:
    if not (text := row.cells.get("due_at", "").strip()):
        return None
    try:
        due_at = read_date(text, latest=borrowed_at + MAX_LOAN_PERIOD)
        if due_at < borrowed_at:
            raise BadCellError(_("%s is before the checkout time.") % quoted(text))
    except BadCellError as error:
        fallback = _("For a new loan, the due date is set to %s days after checkout.") % LOAN_PERIOD.days
        report.problem(row.line, "due_at", f"{error.message} {fallback}")
        return None
    return due_at


def _read_renewals(row: Row, report: ImportReport) -> int | None:
    if not (text := row.cells.get("renewals", "").strip()):
        return None
    if text.isdecimal() and len(text) <= 5 and int(text) <= MAX_RENEWALS:
        return int(text)
    values = {"text": quoted(text), "most": f"{MAX_RENEWALS:,}"}
    message = _("%(text)s is not a whole number from 0 to %(most)s. The value is skipped.") % values
    report.problem(row.line, "renewals", message)
    return None
