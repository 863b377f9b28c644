"""Random operations at the desk, against a model in memory that follows the rules in its own words."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.fines import pay_fine
from library.circulation.services.holds import (
    cancel_hold,
    place_hold,
    reorder_hold,
    resume_hold,
    suspend_hold,
)
from library.circulation.services.lost import mark_lost
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.renewals import renew
from tests.factories import make_book, make_borrower, make_branch, make_copy, make_policy

BOOKS, COPIES, BORROWERS, BRANCHES = 2, 3, 3, 2
LOAN_DAYS, MAX_LOANS, RENEWALS, RENEWAL_DAYS, HOLDS = 5, 2, 1, 4, 2
FINE, GRACE, CAP, LIMIT = Decimal(1), 1, Decimal(6), Decimal(5)

copies, borrowers = st.integers(0, COPIES - 1), st.integers(0, BORROWERS - 1)
books, branches = st.integers(0, BOOKS - 1), st.integers(0, BRANCHES - 1)


class Desk(RuleBasedStateMachine):
    """Days are numbers; operations happen at noon, one a second: a copy is lent once in a moment."""

    @initialize()
    def open(self):
        self.rollback = transaction.atomic()
        self.rollback.__enter__()
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
        self.loans = {}  # the open one by copy: [borrower, due, renewals, charged, lost, row]
        self.queues = [[] for _ in range(BOOKS)]  # [borrower, pickup, copy, status] in order
        self.debts = [Decimal(0)] * BORROWERS
        self.owed = []  # [row of the loan, borrower, what is owed]
        self.events = Counter()

    def teardown(self):
        if hasattr(self, "rollback"):
            transaction.set_rollback(True)
            self.rollback.__exit__(None, None, None)

    @property
    def now(self):
        self.second += 1
        return datetime(2024, 6, 1, 12, tzinfo=UTC) + timedelta(days=self.day, seconds=self.second)

    def attempt(self, reasons, act, **arguments):
        """Do it and return what it gave; if there are reasons, see it refused for these and return None."""
        if not reasons:
            return act(**arguments, now=self.now)
        with pytest.raises(CirculationRefused) as refused:
            act(**arguments, now=self.now)
        assert set(refused.value.codes) == set(reasons)
        return None

    # The rules, told once more.

    def against(self, borrower):
        return ["overdue_fines"] if self.debts[borrower] > LIMIT else []

    def spoken_for(self, book, borrower, wanted):
        before = 0
        for who, _pickup, copy, status in self.queues[book]:
            if who == borrower:
                break
            before += copy is None and status == "waiting"
        shelf = sum(self.status[copy] == "available" for copy in range(COPIES) if self.book_of[copy] == book)
        return before > 0 and shelf - before < wanted

    def not_at_hand(self, copy, borrower):
        book, status = self.book_of[copy], self.status[copy]
        if status == "on_hold_shelf":
            mine = any(hold[0] == borrower and hold[2] == copy for hold in self.queues[book])
            return [] if mine else ["held_for_another"]
        if status == "available":
            return ["held_for_another"] if self.spoken_for(book, borrower, 1) else []
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

    # The operations.

    @rule(days=st.integers(1, 6))
    def wait(self, days):
        self.day += days

    @rule(copy=copies, borrower=borrowers, branch=branches)
    def lend(self, copy, borrower, branch):
        book = self.book_of[copy]
        reasons = self.against(borrower)
        if sum(loan[0] == borrower for loan in self.loans.values()) >= MAX_LOANS:
            reasons.append("limit_reached")
        reasons += self.not_at_hand(copy, borrower)
        loan = self.attempt(
            reasons,
            checkout,
            copy=self.copy_rows[copy],
            borrower=self.borrower_rows[borrower],
            branch=self.branch_rows[branch],
        )
        if loan is None:
            return
        self.status[copy] = "on_loan"
        self.counts[copy][0] += 1
        self.loans[copy] = [borrower, self.day + LOAN_DAYS, 0, Decimal(0), False, loan]
        self.events["checkout"] += 1
        for hold in list(self.queues[book]):
            if hold[0] == borrower:
                self.queues[book].remove(hold)
                self.events["hold_fulfilled"] += 1
                if hold[3] == "ready" and hold[2] != copy:
                    self.route(hold[2], hold[1])

    @rule(copy=copies, branch=branches)
    def take_back(self, copy, branch):
        result = checkin(copy=self.copy_rows[copy], branch=self.branch_rows[branch], now=self.now)
        fine = Decimal(0)
        self.events["found"] += self.status[copy] == "lost"
        if copy in self.loans:
            if not self.loans[copy][4]:
                fine = self.charge(copy)
            del self.loans[copy]
            self.events["checkin"] += 1
        self.route(copy, branch)
        assert result.fine == fine
        assert {"shelve": "available", "hold_shelf": "on_hold_shelf", "send": "in_transit"}[
            result.action
        ] == self.status[copy]

    @rule(copy=copies)
    def keep_longer(self, copy):
        if copy not in self.loans:
            return
        borrower, due, renewals, _charged, lost, row = self.loans[copy]
        reasons = self.against(borrower)
        if lost:
            reasons.append("lost")
        if renewals >= RENEWALS:
            reasons.append("renewals_exhausted")
        if self.spoken_for(self.book_of[copy], borrower, 0):
            reasons.append("held_for_another")
        if self.attempt(reasons, renew, loan=row):
            self.charge(copy)
            self.loans[copy][1:3] = [max(due, self.day + RENEWAL_DAYS), renewals + 1]
            self.counts[copy][1] += 1
            self.events["renewal"] += 1

    @rule(copy=copies)
    def lose(self, copy):
        reasons = ["already_lost"] if self.status[copy] == "lost" else []
        if self.attempt(reasons, mark_lost, copy=self.copy_rows[copy]) is None:
            return
        self.status[copy] = "lost"
        self.events["lost"] += 1
        for hold in self.queues[self.book_of[copy]]:
            if hold[2] == copy:
                hold[2:] = [None, "waiting"]
        if copy in self.loans:
            self.charge(copy)
            self.loans[copy][4] = True

    @rule(book=books, borrower=borrowers, branch=branches)
    def queue_up(self, book, borrower, branch):
        reasons = self.against(borrower)
        if any(hold[0] == borrower for hold in self.queues[book]):
            reasons.append("hold_exists")
        if any(loan[0] == borrower and self.book_of[copy] == book for copy, loan in self.loans.items()):
            reasons.append("already_on_loan")
        if all(self.status[copy] == "lost" for copy in range(COPIES) if self.book_of[copy] == book):
            reasons.append("not_available")
        elif sum(hold[0] == borrower for queue in self.queues for hold in queue) >= HOLDS:
            reasons.append("holds_limit_reached")
        if self.attempt(
            reasons,
            place_hold,
            book=self.book_rows[book],
            borrower=self.borrower_rows[borrower],
            pickup_branch=self.branch_rows[branch],
        ):
            self.queues[book].append([borrower, branch, None, "waiting"])
            self.events["hold_placed"] += 1

    @rule(book=books, index=borrowers)
    def give_up(self, book, index):
        if picked := self.pick(book, index):
            hold, row = picked
            cancel_hold(hold=row, now=self.now)
            self.queues[book].remove(hold)
            self.events["hold_cancelled"] += 1
            if hold[3] == "ready":
                self.route(hold[2], hold[1])

    @rule(book=books, index=borrowers)
    def step_aside(self, book, index):
        if picked := self.pick(book, index):
            hold, row = picked
            reasons = [] if hold[2] is None else ["hold_has_copy"]
            if self.attempt(reasons, suspend_hold, hold=row, until=None):
                hold[3] = "suspended"
                self.events["hold_suspended"] += 1

    @rule(book=books, index=borrowers)
    def step_back(self, book, index):
        if picked := self.pick(book, index):
            hold, row = picked
            reasons = [] if hold[3] == "suspended" else ["hold_not_suspended"]
            if self.attempt(reasons, resume_hold, hold=row):
                hold[3] = "waiting"
                self.events["hold_resumed"] += 1

    @rule(book=books, index=borrowers, position=st.integers(1, BORROWERS))
    def move_up(self, book, index, position):
        if picked := self.pick(book, index):
            hold, row = picked
            reorder_hold(hold=row, position=position, now=self.now)
            self.queues[book].remove(hold)
            self.queues[book].insert(position - 1, hold)
            self.events["hold_reordered"] += 1

    @rule(index=st.integers(0, 9), part=st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(2)]))
    def pay(self, index, part):
        if not self.owed:
            return
        row, borrower, _amount = self.owed[index % len(self.owed)]
        owed = sum(amount for loan, _who, amount in self.owed if loan.pk == row.pk)
        amount = part * owed
        if self.attempt(["more_than_owed"] if amount > owed else [], pay_fine, loan=row, amount=amount):
            self.debts[borrower] -= amount
            self.events["fine_paid"] += 1
            self.owed = [each for each in self.owed if each[0].pk != row.pk]
            if amount < owed:
                self.owed.append([row, borrower, owed - amount])

    # What must be the same in both.

    @invariant()
    def the_database_agrees(self):
        if not hasattr(self, "events"):
            return
        copy_rows = Copy.objects.order_by("pk").values_list("status", "checkouts", "renewals")
        assert list(copy_rows) == [
            (status, *counts) for status, counts in zip(self.status, self.counts, strict=True)
        ]
        open_loans = Loan.objects.filter(returned_at=None)
        assert {
            (loan.copy_id, loan.borrower_id, loan.due_at.date(), loan.renewals, loan.lost_at is not None)
            for loan in open_loans
        } == {
            (
                self.copy_rows[copy].pk,
                self.borrower_rows[borrower].pk,
                (datetime(2024, 6, 1, tzinfo=UTC) + timedelta(days=due)).date(),
                renewals,
                lost,
            )
            for copy, (borrower, due, renewals, _charged, lost, _row) in self.loans.items()
        }
        for book, queue in zip(self.book_rows, self.queues, strict=True):
            holds = Hold.objects.filter(book=book, status__in=Hold.ACTIVE).order_by("position", "pk")
            assert list(holds.values_list("borrower", "pickup_branch", "copy", "status")) == [
                (
                    self.borrower_rows[borrower].pk,
                    self.branch_rows[pickup].pk,
                    None if copy is None else self.copy_rows[copy].pk,
                    status,
                )
                for borrower, pickup, copy, status in queue
            ]
        balance = Counter()
        for entry in FineEntry.objects.all():
            balance[entry.borrower_id] += entry.amount * (1 if entry.kind == "charge" else -1)
        for row, debt in zip(self.borrower_rows, self.debts, strict=True):
            assert balance[row.pk] == debt
        assert Counter(LoanEvent.objects.values_list("kind", flat=True)) == +self.events


def run(*, examples, steps):
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_the_desk_does_what_the_model_does(settings):
    settings.FINE_LIMIT = LIMIT
    run(examples=30, steps=30)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_desk_does_what_the_model_does_for_thousands_of_operations(settings):
    settings.FINE_LIMIT = LIMIT
    run(examples=500, steps=80)
