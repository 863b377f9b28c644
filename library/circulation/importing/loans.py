"""Import of loans from a CSV file."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from django.utils.translation import gettext as _

from library.catalogue.models import Book
from library.catalogue.selectors.books import book_ids
from library.catalogue.services import add_copies
from library.circulation.importing.copies import FOREVER, Span, assign_copies
from library.circulation.importing.parsing import LoanRow, read_loan
from library.circulation.models import Loan
from library.circulation.selectors import copies_of_books, loans_of_books
from library.circulation.services.reconciliation import settle_loans
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, batches
from library.people.services.borrowers import ensure_borrowers
from library.tabular import ImportReport, kept_or_undone, quoted, read_rows

REQUIRED = ("borrower", "book", "borrowed_at")
OPTIONAL = ("returned_at", "due_at", "renewals")
#: Loans written at a time, for the progress bar to move.
BATCH = 5_000


def import_loans(
    *,
    path: Path,
    dry_run: bool = False,
    strict: bool = False,
    now: datetime,
    progress: Progress = no_progress,
) -> ImportReport:
    """Make or update a loan for each row of a file, in one transaction.

    The same borrower, book and time of borrowing are the same loan, however often it is told. One of a book
    and a time at which a loan is forgotten counts as that one: no file brings back who it was. A file
    without the column `returned_at` is a history of checkouts: a loan counts as returned when it was due or
    when the book was next lent, whichever was first; only the last of a book stays open, if it is not due.

    Parameters
    ----------
    path : Path
        CSV, plain or gzip, UTF-8: `borrower` (card number), `book` (control number), `borrowed_at`, and
        any of `returned_at` (blank: still on loan), `due_at` and `renewals`.
    dry_run : bool
        Do it all, then undo it.
    strict : bool
        Keep nothing if there is any problem.
    now : datetime
    progress : Progress

    Returns
    -------
    ImportReport

    Raises
    ------
    UnusableFileError
        If nothing can be read.
    ImportRefusedError, ChangedMeanwhileError
        If nothing was kept.
    """
    report = ImportReport(file=path.name, dry_run=dry_run)
    with kept_or_undone(report, strict=strict):
        columns, rows = read_rows(
            path=path,
            required=REQUIRED,
            optional=OPTIONAL,
            report=report,
            progress=partial(progress, f"reading {path.name} (KiB)"),
        )
        read = [loan for row in rows if (loan := read_loan(row, now=now, report=report))]
        if not read and not report.skipped:
            report.warnings.append(_("%s has no rows.") % report.file)
        books = book_ids(control_numbers={loan.control_number for loan in read})
        loans = _merged(read, books, report)
        is_history = "returned_at" not in columns
        if is_history:
            text = _(
                "%s has no column returned_at: each loan counts as returned when it was due "
                "or, if sooner, when the book was next lent; the last loan of a book stays open until due."
            )
            report.warnings.append(text % report.file)
        _write(loans, books, report, progress, history_until=now if is_history else None)
    return report


def _merged(read: Iterable[LoanRow], books: dict[str, int], report: ImportReport) -> list[LoanRow]:
    """Return each loan of a known book once, by book and time; report the unknown books."""
    loans: dict[tuple[str, str, datetime], LoanRow] = {}
    for loan in read:
        if loan.control_number not in books:
            message = _("No book %s: import the books first.") % quoted(loan.control_number)
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
    # Locked, so that two imports of the same loans follow one another.
    for some in batches(sorted(ids), KEYS_A_QUERY):
        list(Book.objects.select_for_update().filter(pk__in=some).order_by("pk").values_list("pk"))
    copies = copies_of_books(book_ids=ids)
    known = loans_of_books(book_ids=ids)
    by_key = {(book_id, card, loan.borrowed_at): loan for book_id, card, loan in known}

    def told_before(row: LoanRow) -> Loan | None:
        book_id = books[row.control_number]
        loan = by_key.get((book_id, row.card_number, row.borrowed_at))
        return loan or by_key.get((book_id, None, row.borrowed_at))

    pairs = [(row, told_before(row)) for row in rows]
    if history_until:
        pairs = _with_returns(pairs, history_until)
    returned = _update([(row, loan) for row, loan in pairs if loan], report, is_history=bool(history_until))
    new = [row for row, loan in pairs if not loan]
    copy_ids = _copies_for(new, known, copies, books, report)
    created = _create(new, copy_ids, report, progress)
    returned += [loan for loan in created if loan.returned_at]
    settle_loans(
        lent=created,
        # What was worked out from a history is no event: nobody told of that return.
        returned=[] if history_until else returned,
        copy_ids={copy_id for owned in copies.values() for copy_id in owned},
    )


def _with_returns(
    pairs: list[tuple[LoanRow, Loan | None]], now: datetime
) -> list[tuple[LoanRow, Loan | None]]:
    """Return the rows of a history, which is in order of book and time, with their returns."""
    returned: list[tuple[LoanRow, Loan | None]] = []
    for (row, loan), (following, _known) in zip(pairs, [*pairs[1:], (None, None)], strict=False):
        # A loan that is known may have been renewed here.
        due = loan.due_at if loan and not row.due_at else row.due
        returned_at: datetime | None
        if following and following.control_number == row.control_number:
            returned_at = min(due, following.borrowed_at)
        else:
            returned_at = due if due <= now else None
        returned.append((replace(row, returned_at=returned_at), loan))
    return returned


def _update(pairs: list[tuple[LoanRow, Loan]], report: ImportReport, *, is_history: bool) -> list[Loan]:
    """Write what the file tells anew of loans that are known; return those that were out and are back."""
    changed: list[Loan] = []
    returned: list[Loan] = []
    for row, loan in pairs:
        if loan.borrower_id is None:
            continue  # whether it is the very same nobody can know
        before = (loan.due_at, loan.returned_at, loan.renewals)
        loan.due_at = row.due_at or loan.due_at
        # A return worked out from a history never replaces one that is known, nor is a loan opened again.
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
    borrowers, made = ensure_borrowers(card_numbers={row.card_number for row in new})
    report.add_made("borrowers", made)
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
    known: list[tuple[int, str | None, Loan]],
    copies: dict[int, list[int]],
    books: dict[str, int],
    report: ImportReport,
) -> list[int]:
    """Return the primary key of a copy for each loan, some of them made for it."""
    lent: dict[int, list[Span]] = defaultdict(list)
    for _book_id, _card, loan in known:
        lent[loan.copy_id].append((loan.borrowed_at, loan.returned_at or FOREVER))
    spans: dict[str, list[Span]] = defaultdict(list)
    for row in new:
        spans[row.control_number].append((row.borrowed_at, row.returned_at or FOREVER))
    assigned: dict[str, list[int]] = {}
    wanted: list[tuple[int, str]] = []
    for control_number, loans in spans.items():
        owned = copies[books[control_number]]
        assigned[control_number] = assign_copies(loans=loans, copies=[lent[copy_id] for copy_id in owned])
        more = max(assigned[control_number]) + 1 - len(owned)
        wanted += [(books[control_number], control_number)] * more
    for copy in add_copies(books=wanted):
        copies[copy.book_id].append(copy.pk)
    report.add_made("copies", len(wanted))
    # `new` is in order of book, as `spans` and `assigned` are.
    return [
        copies[books[control_number]][index] for control_number in spans for index in assigned[control_number]
    ]
