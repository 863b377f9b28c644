"""The link between a borrower and what was borrowed is cut; how often each title was lent stays."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, QuerySet

from library.catalogue.models import Branch, Copy
from library.circulation.models import FineEntry, Hold, LeftOutLoans, Loan, LoanEvent, Notice
from library.circulation.selectors.fines import owed_for
from library.circulation.selectors.retention import (
    events_to_forget,
    forgets_at_return,
    holds_to_forget,
    loans_owed_for,
    loans_to_forget,
)
from library.circulation.services.locks import lock_borrowers
from library.console import Progress, no_progress
from library.db import KEYS_A_QUERY, add_counts, batches
from library.people.models import Borrower, BorrowerCategory
from library.people.services.borrowers import delete_derived

if TYPE_CHECKING:
    from library.circulation.services.coborrowing import Codes, PairReport

#: Borrowers a transaction: on SQLite the desk waits meanwhile, a second at most.
BORROWERS_A_BATCH = 50
#: Stands in the ledger for what was written about a waiver: it may name the person.
REASON_FORGOTTEN = "-"


@dataclass
class ForgettingReport:
    """What was forgotten, or with `dry_run` would be.

    Attributes
    ----------
    dry_run : bool
    loans, holds, events : int
        Rows that no longer say who it was; `events` are those that belong to no loan.
    owed : int
        Loans whose time is over, and which are spared as something is owed for them.
    pairs_kept, pairs_lost : int
        Pairs of titles that ended, each as often as borrowers had it.
    branches : dict
        Loans, holds and loans spared by the code of the branch; "-" is none.
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


def forget_loans(
    *, now: datetime, dry_run: bool = False, progress: Progress = no_progress
) -> ForgettingReport:
    """Forget who had each loan and each finished hold whose time is over.

    Whose time that is, the borrower chose, or else the library (``RETENTION_MONTHS``). Loans that are out,
    lost ones among them, and loans for which something is owed are spared. Each batch of borrowers is a
    transaction of its own, in which they are locked: stopped, it goes on where it was when called again.

    Parameters
    ----------
    now : datetime
    dry_run : bool
        Do it all, and undo each batch.
    progress : Progress

    Returns
    -------
    ForgettingReport
    """
    from library.circulation.services import coborrowing  # loads scipy, which a web process does without

    report = ForgettingReport(dry_run=dry_run)
    report.add("owed", loans_owed_for(now=now).values_list("branch__code", flat=True).iterator())
    borrowers: set[int] = set()
    for rows in (loans_to_forget(now=now), holds_to_forget(now=now), events_to_forget(now=now)):
        borrowers.update(rows.values_list("borrower", flat=True).distinct().iterator())
    titles = set(loans_to_forget(now=now).values_list("copy__book", flat=True).distinct().iterator())
    often = coborrowing.pairs_often_had(titles=titles)
    done = 0
    for some in batches(sorted(borrowers), BORROWERS_A_BATCH):
        with transaction.atomic():
            _forget_due(some, often, now, report)
            transaction.set_rollback(dry_run)
        done += len(some)
        progress("forgetting (borrowers)", done, len(borrowers))
    if not dry_run:
        with transaction.atomic():
            coborrowing.drop_rare_pairs()
        empty_write_ahead_log()
    return report


def lock_who_forgets(*, copy: Copy) -> int | None:
    """Lock the borrower who has a copy, if the loan is forgotten at its return; before any other lock.

    Returns
    -------
    int or None
        The primary key.
    """
    who = Borrower.objects.filter(forgets_at_return(), loans__copy=copy, loans__returned_at=None).order_by()
    borrower = next(iter(who.values_list("pk", flat=True)), None)
    if borrower is not None:
        lock_borrowers(pks=[borrower])
    return borrower


def forget_at_return(*, loan: Loan, copy: Copy, borrower_id: int | None) -> None:
    """Forget a loan that ends, within the transaction of its return.

    Nothing is done if something is owed for it, or if `borrower_id`, which is locked, has it not: the
    nightly run forgets it then.

    Parameters
    ----------
    loan : Loan
    copy : Copy
    borrower_id : int or None
        See `lock_who_forgets`.
    """
    if borrower_id is None or loan.borrower_id != borrower_id or owed_for(loan=loan) > 0:
        return
    from library.circulation.services import coborrowing  # loads scipy, which few returns need

    cut_loans(
        loans=[loan.pk], borrowers=[borrower_id], often=coborrowing.pairs_often_had(titles={copy.book_id})
    )
    about = {"borrower": borrower_id, "book": copy.book_id}
    cut_holds(Hold.objects.filter(**about).exclude(status__in=Hold.ACTIVE))
    cut_events(LoanEvent.objects.filter(**about, loan=None))
    loan.borrower = None


def cut_loans(*, loans: Collection[int], borrowers: Collection[int], often: "Codes") -> "PairReport":
    """Forget who had some loans, within the caller's transaction, in which the borrowers are locked.

    Parameters
    ----------
    loans : collection of int
        Primary keys; all of the borrowers named.
    borrowers : collection of int
        Primary keys, `KEYS_A_QUERY` at most.
    often : int array
        The pairs that may be kept: `coborrowing.pairs_often_had`.
    """
    from library.circulation.services import coborrowing

    ended = coborrowing.ended_pairs(borrowers=borrowers, forgotten=loans)
    pairs = coborrowing.count_pairs(ended=ended, often=often)
    for some in batches(sorted(loans), KEYS_A_QUERY):
        _count_left_out(some)
        Loan.objects.filter(pk__in=some).update(borrower=None, in_pairs=False)
        cut_events(LoanEvent.objects.filter(loan__in=some))
        cut_fines(FineEntry.objects.filter(loan__in=some))
        # Several that stood in one message would tell that they are of one reader.
        Notice.objects.filter(loan__in=some).delete()
    new = Borrower.objects.filter(pk__in=borrowers, has_forgotten=False)
    Loan.objects.filter(borrower__in=list(new)).update(in_pairs=True)
    new.update(has_forgotten=True)
    delete_derived(borrowers=borrowers)
    return pairs


def cut_holds(holds: QuerySet[Hold]) -> int:
    """Forget whose holds were that have ended."""
    Notice.objects.filter(hold__in=holds.values("pk")).delete()
    return holds.update(borrower=None)


def cut_events(events: QuerySet[LoanEvent]) -> int:
    """Forget whom events were about, and the category too where so few have it that it would tell."""
    known = events.filter(borrower__isnull=False)
    sizes = BorrowerCategory.objects.annotate(number=Count("borrowers"))
    small = list(sizes.filter(number__lt=settings.CO_BORROWING_MIN).values_list("pk", flat=True))
    cut = 0
    if small:
        cut = known.filter(borrower_category__in=small).update(borrower=None, borrower_category=None)
    return cut + known.update(borrower=None)


def cut_fines(fines: QuerySet[FineEntry]) -> None:
    """Forget who paid, and what was written about it; the amounts stay."""
    fines.exclude(reason="").update(reason=REASON_FORGOTTEN)
    fines.update(borrower=None)


def empty_write_ahead_log() -> None:
    """Let SQLite's log of the last writes, which holds what was overwritten, be empty."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _count_left_out(loans: Collection[int]) -> None:
    """Remember of loans about to be forgotten how many of each title count for no statistic."""
    rows = Loan.objects.filter(pk__in=loans, borrower__left_out=True).order_by("copy__book_id")
    counted = rows.values_list("copy__book_id").annotate(number=Count("pk"))
    add_counts(model=LeftOutLoans, keys=["book_id"], rows=counted)


def _forget_due(borrowers: list[int], often: "Codes", now: datetime, report: ForgettingReport) -> None:
    """Forget what is due of some borrowers, whatever it was when they were found."""
    lock_borrowers(pks=borrowers)
    codes = dict(Branch.objects.values_list("pk", "code"))
    loans = dict(loans_to_forget(now=now).filter(borrower__in=borrowers).values_list("pk", "branch"))
    if loans:
        pairs = cut_loans(loans=loans.keys(), borrowers=borrowers, often=often)
        report.pairs_kept += pairs.kept
        report.pairs_lost += pairs.lost
        report.add("loans", (codes.get(branch or 0) for branch in loans.values()))
    holds = dict(holds_to_forget(now=now).filter(borrower__in=borrowers).values_list("pk", "pickup_branch"))
    for some in batches(holds, KEYS_A_QUERY):
        cut_holds(Hold.objects.filter(pk__in=some))
    report.add("holds", (codes.get(branch or 0) for branch in holds.values()))
    events = events_to_forget(now=now).filter(borrower__in=borrowers).values_list("pk", flat=True)
    for some in batches(list(events), KEYS_A_QUERY):
        report.events += cut_events(LoanEvent.objects.filter(pk__in=some))
