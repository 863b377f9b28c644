"""An in-memory model of the circulation rules."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from library.circulation.models import Hold
from library.circulation.services.refusals import CirculationRefused
from tests.factories import make_book, make_borrower, make_branch, make_copy, make_policy

BOOKS, COPIES, BORROWERS, BRANCHES = 2, 3, 3, 2
LOAN_DAYS, MAX_LOANS, RENEWALS, RENEWAL_DAYS, HOLDS = 5, 2, 1, 4, 2
FINE, GRACE, CAP, LIMIT = Decimal(1), 1, Decimal(6), Decimal(5)


class DeskModel:
    """Days are numbers; operations happen at noon, one per second, so that checkout times are unique."""

    def set_up(self):
        make_policy(
            loan_days=LOAN_DAYS,
            max_loans=MAX_LOANS,
            renewals_allowed=RENEWALS,
            renewal_days=RENEWAL_DAYS,
            holds_allowed=HOLDS,
            fine_per_day=FINE,
            grace_days=GRACE,
            fine_cap=CAP,
        )
        self.branch_rows = [make_branch() for _ in range(BRANCHES)]
        self.book_rows = [make_book() for _ in range(BOOKS)]
        self.borrower_rows = [make_borrower() for _ in range(BORROWERS)]
        self.book_of = [number % BOOKS for number in range(COPIES)]
        self.home = [number % BRANCHES for number in range(COPIES)]
        self.copy_rows = [
            make_copy(book=self.book_rows[book], branch=self.branch_rows[home])
            for book, home in zip(self.book_of, self.home, strict=True)
        ]
        self.day, self.second = 0, 0
        self.status = ["available"] * COPIES
        self.counts = [[0, 0] for _ in range(COPIES)]
        self.loans = {}  # open loan by copy: [borrower, due, renewals, charged, lost, row]
        self.queues = [[] for _ in range(BOOKS)]  # [borrower, pickup, copy, status] in order
        self.debts = [Decimal(0)] * BORROWERS
        self.owed = []  # [row of the loan, borrower, balance]
        self.events = Counter()

    @property
    def now(self):
        self.second += 1
        return datetime(2024, 6, 1, 12, tzinfo=UTC) + timedelta(days=self.day, seconds=self.second)

    def attempt(self, reasons, operation, **arguments):
        """Run the operation and return its result; if there are reasons, check for a refusal instead."""
        if not reasons:
            return operation(**arguments, now=self.now)
        with pytest.raises(CirculationRefused) as refused:
            operation(**arguments, now=self.now)
        assert set(refused.value.codes) == set(reasons)
        return None

    # The rules of the model.

    def blocks(self, borrower):
        return ["overdue_fines"] if self.debts[borrower] > LIMIT else []

    def is_reserved(self, book, borrower, wanted):
        earlier = 0
        for holder, _pickup, copy, status in self.queues[book]:
            if holder == borrower:
                break
            earlier += copy is None and status == "waiting"
        shelf = sum(self.status[copy] == "available" for copy in range(COPIES) if self.book_of[copy] == book)
        return earlier > 0 and shelf - earlier < wanted

    def unavailable(self, copy, borrower):
        book, status = self.book_of[copy], self.status[copy]
        if status == "on_hold_shelf":
            is_own = any(hold[0] == borrower and hold[2] == copy for hold in self.queues[book])
            return [] if is_own else ["held_for_another"]
        if status == "available":
            return ["held_for_another"] if self.is_reserved(book, borrower, 1) else []
        return ["already_on_loan"] if status == "on_loan" else ["not_available"]

    def charge(self, copy):
        borrower, due, _renewals, charged, _lost, row = self.loans[copy]
        fine = min(FINE * max(0, self.day - due - GRACE), CAP, CAP - charged)
        if fine > 0:
            self.loans[copy][3] += fine
            self.debts[borrower] += fine
            self.owed.append([row, borrower, fine])
            self.events["fine_charged"] += 1
        return max(fine, Decimal(0))

    def route(self, copy, here):
        queue = self.queues[self.book_of[copy]]
        hold = next((hold for hold in queue if hold[2] == copy), None)
        hold = hold or next((hold for hold in queue if hold[2] is None and hold[3] == "waiting"), None)
        if hold is None:
            self.status[copy] = "available" if self.home[copy] == here else "in_transit"
            return
        arrived = hold[1] == here
        self.events["hold_ready"] += arrived and hold[3] != "ready"
        hold[2:] = [copy, "ready" if arrived else "waiting"]
        self.status[copy] = "on_hold_shelf" if arrived else "in_transit"

    def pick(self, book, index):
        """Return a hold of the queue and its row, or None."""
        queue = self.queues[book]
        if not queue:
            return None
        hold = queue[index % len(queue)]
        row = Hold.objects.get(
            book=self.book_rows[book], borrower=self.borrower_rows[hold[0]], status__in=Hold.ACTIVE
        )
        return hold, row
