"""Import of loans from a CSV file."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from django.utils.translation import gettext as _

from library.catalogue.models import Book
from library.catalogue.selectors.books import book_ids
from library.catalogue.services import add_copies
from library.circulation.importing.copies import FOREVER, Span, assign_copies
from library.circulation.importing.parsing import LoanRow, read_loan
from library.circulation.models import Loan
from library.circulation.selectors import copies_of_books, loans_of_books
from library.circulation.services.reconciliation import reconcile_loans
from library.console import Progress, no_progress
from library.db import KEYS_PER_QUERY, batches
from library.people.services.borrowers import ensure_borrowers
from library.tabular import ImportReport, import_file, quoted

REQUIRED = ("borrower", "book", "borrowed_at")
OPTIONAL = ("returned_at", "due_at", "renewals")
#: Loans written at a time; the progress bar advances after each batch.
BATCH = 5_000


def import_loans(
    *,
    path: Path,
    dry_run: bool = False,
    strict: bool = False,
    now: datetime,
    progress: Progress = no_progress,
) -> ImportReport:
    """Create or update a loan for each row of a file, in one transaction.

    Rows with the same borrower, book and checkout time are the same loan. A row that matches the book and
    checkout time of an anonymised loan is that loan: no import restores its borrower. A file without the
    column `returned_at` is a checkout history: a loan counts as returned when it was due or when the book was
    next checked out, whichever was first; only the last loan of a book stays open, until it is due.

    Parameters
    ----------
    path
        CSV, plain or gzip, UTF-8: `borrower` (card number), `book` (control number), `borrowed_at`, and any
        of `returned_at` (blank: still on loan), `due_at` and `renewals`.
    dry_run
        Roll back at the end.
    strict
        Keep nothing if there are problems.

    Raises
    ------
    UnusableFileError
        If nothing can be read.
    ImportRefusedError, ConcurrentChangeError
        If nothing was kept.
    """
    with import_file(
        path=path, required=REQUIRED, optional=OPTIONAL, dry_run=dry_run, strict=strict, progress=progress
    ) as file:
        report = file.report
        parsed = [loan for row in file.rows if (loan := read_loan(row, now=now, report=report))]
        books = book_ids(control_numbers={loan.control_number for loan in parsed})
        loans = _merged(parsed, books, report)
        is_history = "returned_at" not in file.columns
        if is_history:
            text = _(
                "%s has no returned_at column. Each loan is treated as returned on its due date, or "
                "when the book was next checked out if that was earlier; the last loan of a book "
                "stays open until it is due."
            )
            report.warnings.append(text % report.file)
        _write(loans, books, report, progress, history_until=now if is_history else None)
    return report


def _merged(parsed: Iterable[LoanRow], books: dict[str, int], report: ImportReport) -> list[LoanRow]:
    """Return each loan of an existing book once, by book and time; report unknown control numbers."""
    loans: dict[tuple[str, str, datetime], LoanRow] = {}
    for loan in parsed:
        if loan.control_number not in books:
            message = _("No book has the control number %s. Import the books first.") % quoted(
                loan.control_number
            )
            report.skip(loan.line, "book", message)
        elif loan.key in loans:
            loans[loan.key] = loans[loan.key].merged(loan)
        else:
            loans[loan.key] = loan
    return sorted(loans.values(), key=lambda loan: (loan.control_number, loan.borrowed_at, loan.card_number))


def _write(
    rows: list[LoanRow],
    books: dict[str, int],
    report: ImportReport,
    progress: Progress,
    *,
    history_until: datetime | None,
) -> None:
    ids = {books[row.control_number] for row in rows}
    # Locked, so that two imports of the same loans run one after the other.
    for batch in batches(sorted(ids), KEYS_PER_QUERY):
        list(Book.objects.select_for_update().filter(pk__in=batch).order_by("pk").values_list("pk"))
    copies = copies_of_books(book_ids=ids)
    existing = loans_of_books(book_ids=ids)
    by_key = {(book_id, card, loan.borrowed_at): loan for book_id, card, loan in existing}

    def existing_loan(row: LoanRow) -> Loan | None:
        book_id = books[row.control_number]
        loan = by_key.get((book_id, row.card_number, row.borrowed_at))
        return loan or by_key.get((book_id, None, row.borrowed_at))

    pairs = [(row, existing_loan(row)) for row in rows]
    if history_until:
        pairs = _with_returns(pairs, history_until)
    returned = _update([(row, loan) for row, loan in pairs if loan], report, is_history=bool(history_until))
    new = [row for row, loan in pairs if not loan]
    copy_ids = _copies_for(new, existing, copies, books, report)
    created = _create(new, copy_ids, report, progress)
    returned += [loan for loan in created if loan.returned_at]
    reconcile_loans(
        checked_out=created,
        # A return inferred from a history is not recorded as an event: its time is a guess.
        returned=[] if history_until else returned,
        copy_ids={copy_id for owned in copies.values() for copy_id in owned},
    )


def _with_returns(
    pairs: list[tuple[LoanRow, Loan | None]], now: datetime
) -> list[tuple[LoanRow, Loan | None]]:
    """Add inferred returns to the rows of a history, which is in order of book and time."""
    returned: list[tuple[LoanRow, Loan | None]] = []
    for (row, loan), (following, _loan) in zip(pairs, [*pairs[1:], (None, None)], strict=False):
        # An existing loan may have been renewed here.
        due = loan.due_at if loan and not row.due_at else row.due
        returned_at: datetime | None
        if following and following.control_number == row.control_number:
            returned_at = min(due, following.borrowed_at)
        else:
            returned_at = due if due <= now else None
        returned.append((replace(row, returned_at=returned_at), loan))
    return returned


def _update(pairs: list[tuple[LoanRow, Loan]], report: ImportReport, *, is_history: bool) -> list[Loan]:
    """Update existing loans from the file; return those that the file closes."""
    changed: list[Loan] = []
    returned: list[Loan] = []
    for row, loan in pairs:
        if loan.borrower_id is None:
            continue  # an anonymised loan cannot be identified with certainty
        before = (loan.due_at, loan.returned_at, loan.renewals)
        loan.due_at = row.due_at or loan.due_at
        # An inferred return never replaces a recorded one, and a loan is never reopened.
        if loan.returned_at is None or not is_history:
            loan.returned_at = row.returned_at or loan.returned_at
        loan.renewals = loan.renewals if row.renewals is None else row.renewals
        if (loan.due_at, loan.returned_at, loan.renewals) != before:
            changed.append(loan)
            if loan.returned_at and not before[1]:
                returned.append(loan)
    Loan.objects.bulk_update(changed, ["due_at", "returned_at", "renewals"], batch_size=200)
    report.updated = len(changed)
    report.unchanged = len(pairs) - len(changed)
    return returned


def _create(new: list[LoanRow], copy_ids: list[int], report: ImportReport, progress: Progress) -> list[Loan]:
    created: list[Loan] = []
    borrowers, created_borrowers = ensure_borrowers(card_numbers={row.card_number for row in new})
    report.add_created("borrowers", created_borrowers)
    for batch in batches(zip(new, copy_ids, strict=True), BATCH):
        created += Loan.objects.bulk_create(
            Loan(
                copy_id=copy_id,
                borrower_id=borrowers[row.card_number],
                borrowed_at=row.borrowed_at,
                due_at=row.due,
                returned_at=row.returned_at,
                renewals=row.renewals or 0,
            )
            for row, copy_id in batch
        )
        report.created += len(batch)
        progress("writing loans", report.created, len(new))
    return created


def _copies_for(
    new: list[LoanRow],
    existing: list[tuple[int, str | None, Loan]],
    copies: dict[int, list[int]],
    books: dict[str, int],
    report: ImportReport,
) -> list[int]:
    """Return the primary key of a copy for each loan; create copies where there are too few."""
    occupied: dict[int, list[Span]] = defaultdict(list)
    for _book_id, _card, loan in existing:
        occupied[loan.copy_id].append((loan.borrowed_at, loan.returned_at or FOREVER))
    spans: dict[str, list[Span]] = defaultdict(list)
    for row in new:
        spans[row.control_number].append((row.borrowed_at, row.returned_at or FOREVER))
    assigned: dict[str, list[int]] = {}
    wanted: list[tuple[int, str]] = []
    for control_number, loans in spans.items():
        owned = copies[books[control_number]]
        assigned[control_number] = assign_copies(loans=loans, copies=[occupied[copy_id] for copy_id in owned])
        missing = max(assigned[control_number]) + 1 - len(owned)
        wanted += [(books[control_number], control_number)] * missing
    for copy in add_copies(books=wanted):
        copies[copy.book_id].append(copy.pk)
    report.add_created("copies", len(wanted))
    # `new`, `spans` and `assigned` are in the same order of books.
    return [
        copies[books[control_number]][index] for control_number in spans for index in assigned[control_number]
    ]
