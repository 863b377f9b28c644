"""Anonymise loans and holds: remove the borrower, keep the number of checkouts of each title."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, QuerySet

from library.catalogue.models import Branch, Copy
from library.circulation.models import ExcludedLoanCount, FineEntry, Hold, Loan, LoanEvent, Notice
from library.circulation.selectors.fines import owed_for
from library.circulation.selectors.retention import (
    anonymises_at_return,
    events_to_anonymise,
    holds_to_anonymise,
    loans_kept_for_debt,
    loans_to_anonymise,
)
from library.circulation.services.locks import lock_borrowers
from library.console import Progress, no_progress
from library.db import KEYS_PER_QUERY, add_counts, batches
from library.people.models import Borrower, BorrowerCategory
from library.people.services.borrowers import delete_derived

if TYPE_CHECKING:
    from library.circulation.services.coborrowing import PairCodes, PairReport

#: Borrowers per transaction. On SQLite the desk waits for the transaction: a second at most.
BORROWERS_PER_BATCH = 50
#: Replaces the reason of a waiver in the ledger: the text may name the person.
REDACTED_REASON = "-"


@dataclass
class AnonymisationReport:
    """Rows anonymised by a run, or that `dry_run` would anonymise.

    Attributes
    ----------
    loans, holds, events
        Rows that lost their borrower; `events` counts only events without a loan.
    owed
        Expired loans that were skipped because the borrower still owes something for them.
    pairs_kept, pairs_lost
        Co-borrowed pairs that ended, counted once per borrower.
    branches
        `loans`, `holds` and `owed` by branch code; "-" means no branch.
    """

    dry_run: bool = False
    loans: int = 0
    holds: int = 0
    events: int = 0
    owed: int = 0
    pairs_kept: int = 0
    pairs_lost: int = 0
    branches: dict[str, dict[str, int]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-serialisable values."""
        return asdict(self)

    def add(self, kind: str, branches: Iterable[str | None]) -> None:
        """Count rows by branch."""
        for code, number in Counter(branches).items():
            row = self.branches.setdefault(code or "-", {"loans": 0, "holds": 0, "owed": 0})
            row[kind] += number
            setattr(self, kind, getattr(self, kind) + number)


def anonymise_loans(
    *, now: datetime, dry_run: bool = False, progress: Progress = no_progress
) -> AnonymisationReport:
    """Anonymise loans and ended holds whose retention period is over.

    The borrower chooses the period, or else the library does (``RETENTION_MONTHS``). Open loans, including
    lost ones, and loans with a balance due are skipped. Each batch of borrowers is locked and processed in
    its own transaction, so an interrupted run resumes where it stopped.

    Parameters
    ----------
    dry_run
        Roll back each batch.
    """
    from library.circulation.services import coborrowing  # loads scipy, which a web process must not do

    report = AnonymisationReport(dry_run=dry_run)
    report.add("owed", loans_kept_for_debt(now=now).values_list("branch__code", flat=True).iterator())
    borrowers: set[int] = set()
    for rows in (loans_to_anonymise(now=now), holds_to_anonymise(now=now), events_to_anonymise(now=now)):
        borrowers.update(rows.values_list("borrower", flat=True).distinct().iterator())
    titles = set(loans_to_anonymise(now=now).values_list("copy__book", flat=True).distinct().iterator())
    frequent = coborrowing.frequent_pairs(titles=titles)
    done = 0
    for batch in batches(sorted(borrowers), BORROWERS_PER_BATCH):
        with transaction.atomic():
            _anonymise_batch(batch, frequent, now, report)
            transaction.set_rollback(dry_run)
        done += len(batch)
        progress("anonymising (borrowers)", done, len(borrowers))
    if not dry_run:
        with transaction.atomic():
            coborrowing.drop_rare_pairs()
        truncate_write_ahead_log()
    return report


def lock_anonymising_borrower(*, copy: Copy) -> int | None:
    """Lock the borrower of a copy on loan if the loan is anonymised at its return.

    Call it before any other lock.

    Returns
    -------
    int or None
        The borrower's primary key; None if nothing is to be anonymised.
    """
    borrowers = Borrower.objects.filter(
        anonymises_at_return(), loans__copy=copy, loans__returned_at=None
    ).order_by()
    borrower = next(iter(borrowers.values_list("pk", flat=True)), None)
    if borrower is not None:
        lock_borrowers(pks=[borrower])
    return borrower


def anonymise_at_return(*, loan: Loan, copy: Copy, borrower_id: int | None) -> None:
    """Anonymise a loan within the transaction of its return.

    Do nothing if a balance is due for the loan or if it is not a loan of `borrower_id`, who is locked. The
    nightly run anonymises such loans later.

    Parameters
    ----------
    borrower_id
        Result of `lock_anonymising_borrower`.
    """
    if borrower_id is None or loan.borrower_id != borrower_id or owed_for(loan=loan) > 0:
        return
    from library.circulation.services import coborrowing  # loads scipy, which few returns need

    frequent = coborrowing.frequent_pairs(titles={copy.book_id})
    unlink_loans(loans=[loan.pk], borrowers=[borrower_id], frequent=frequent)
    same_title = {"borrower": borrower_id, "book": copy.book_id}
    unlink_holds(Hold.objects.filter(**same_title).exclude(status__in=Hold.ACTIVE))
    unlink_events(LoanEvent.objects.filter(**same_title, loan=None))
    loan.borrower = None


def unlink_loans(
    *, loans: Collection[int], borrowers: Collection[int], frequent: "PairCodes"
) -> "PairReport":
    """Remove the borrower from loans, within the caller's transaction, which has locked the borrowers.

    Parameters
    ----------
    loans
        Primary keys of loans of these borrowers.
    borrowers
        Primary keys, at most `KEYS_PER_QUERY`.
    frequent
        Pairs that may be kept as counts: `coborrowing.frequent_pairs`.
    """
    from library.circulation.services import coborrowing

    ended = coborrowing.ended_pairs(borrowers=borrowers, anonymised=loans)
    pairs = coborrowing.add_pair_counts(ended=ended, frequent=frequent)
    for batch in batches(sorted(loans), KEYS_PER_QUERY):
        _count_excluded(batch)
        Loan.objects.filter(pk__in=batch).update(borrower=None, counts_in_pairs=False)
        unlink_events(LoanEvent.objects.filter(loan__in=batch))
        unlink_fines(FineEntry.objects.filter(loan__in=batch))
        # Notices that share a message would reveal that their loans were of one borrower.
        Notice.objects.filter(loan__in=batch).delete()
    new = Borrower.objects.filter(pk__in=borrowers, has_anonymised_loans=False)
    Loan.objects.filter(borrower__in=list(new)).update(counts_in_pairs=True)
    new.update(has_anonymised_loans=True)
    delete_derived(borrowers=borrowers)
    return pairs


def unlink_holds(holds: QuerySet[Hold]) -> int:
    """Remove the borrower from ended holds; return the number of holds."""
    Notice.objects.filter(hold__in=holds.values("pk")).delete()
    return holds.update(borrower=None)


def unlink_events(events: QuerySet[LoanEvent]) -> int:
    """Remove the borrower from events; return the number of events.

    The borrower category is removed too if so few borrowers have it that it would identify the person.
    """
    linked = events.filter(borrower__isnull=False)
    sizes = BorrowerCategory.objects.annotate(number=Count("borrowers"))
    small = list(sizes.filter(number__lt=settings.CO_BORROWING_MIN).values_list("pk", flat=True))
    unlinked = 0
    if small:
        unlinked = linked.filter(borrower_category__in=small).update(borrower=None, borrower_category=None)
    return unlinked + linked.update(borrower=None)


def unlink_fines(fines: QuerySet[FineEntry]) -> None:
    """Remove the borrower and the text of the reasons from fines; keep the amounts."""
    fines.exclude(reason="").update(reason=REDACTED_REASON)
    fines.update(borrower=None)


def truncate_write_ahead_log() -> None:
    """Empty SQLite's write-ahead log, which still contains overwritten data."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _count_excluded(loans: Collection[int]) -> None:
    """Count, by title, the loans about to be anonymised that are excluded from statistics."""
    rows = Loan.objects.filter(pk__in=loans, borrower__excluded_from_statistics=True).order_by(
        "copy__book_id"
    )
    counted = rows.values_list("copy__book_id").annotate(number=Count("pk"))
    add_counts(model=ExcludedLoanCount, keys=["book_id"], rows=counted)


def _anonymise_batch(
    borrowers: list[int], frequent: "PairCodes", now: datetime, report: AnonymisationReport
) -> None:
    """Anonymise the expired rows of some borrowers, read again under the lock."""
    lock_borrowers(pks=borrowers)
    codes = dict(Branch.objects.values_list("pk", "code"))
    loans = dict(loans_to_anonymise(now=now).filter(borrower__in=borrowers).values_list("pk", "branch"))
    if loans:
        pairs = unlink_loans(loans=loans.keys(), borrowers=borrowers, frequent=frequent)
        report.pairs_kept += pairs.kept
        report.pairs_lost += pairs.lost
        report.add("loans", (codes.get(branch or 0) for branch in loans.values()))
    holds = dict(
        holds_to_anonymise(now=now).filter(borrower__in=borrowers).values_list("pk", "pickup_branch")
    )
    for batch in batches(holds, KEYS_PER_QUERY):
        unlink_holds(Hold.objects.filter(pk__in=batch))
    report.add("holds", (codes.get(branch or 0) for branch in holds.values()))
    events = events_to_anonymise(now=now).filter(borrower__in=borrowers).values_list("pk", flat=True)
    for batch in batches(list(events), KEYS_PER_QUERY):
        report.events += unlink_events(LoanEvent.objects.filter(pk__in=batch))
