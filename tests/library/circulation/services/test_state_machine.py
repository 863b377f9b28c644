"""Random desk operations, checked against an independent in-memory model of the rules."""

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
from library.circulation.services.renewals import renew
from tests.library.circulation.desk_model import (
    BOOKS,
    BORROWERS,
    BRANCHES,
    COPIES,
    HOLDS,
    LIMIT,
    LOAN_DAYS,
    MAX_LOANS,
    RENEWAL_DAYS,
    RENEWALS,
    DeskModel,
)

copies, borrowers = st.integers(0, COPIES - 1), st.integers(0, BORROWERS - 1)
books, branches = st.integers(0, BOOKS - 1), st.integers(0, BRANCHES - 1)


class Desk(DeskModel, RuleBasedStateMachine):
    @initialize()
    def open(self):
        self.rollback = transaction.atomic()
        self.rollback.__enter__()
        self.set_up()

    def teardown(self):
        if hasattr(self, "rollback"):
            transaction.set_rollback(True)
            self.rollback.__exit__(None, None, None)

    # Operations.

    @rule(days=st.integers(1, 6))
    def wait(self, days):
        self.day += days

    @rule(copy=copies, borrower=borrowers, branch=branches)
    def lend(self, copy, borrower, branch):
        book = self.book_of[copy]
        reasons = self.blocks(borrower)
        if sum(loan[0] == borrower for loan in self.loans.values()) >= MAX_LOANS:
            reasons.append("limit_reached")
        reasons += self.unavailable(copy, borrower)
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
    def check_in(self, copy, branch):
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
    def renew_loan(self, copy):
        if copy not in self.loans:
            return
        borrower, due, renewals, _charged, lost, row = self.loans[copy]
        reasons = self.blocks(borrower)
        if lost:
            reasons.append("lost")
        if renewals >= RENEWALS:
            reasons.append("renewals_exhausted")
        if self.is_reserved(self.book_of[copy], borrower, 0):
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
    def hold(self, book, borrower, branch):
        reasons = self.blocks(borrower)
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
    def cancel(self, book, index):
        if picked := self.pick(book, index):
            hold, row = picked
            cancel_hold(hold=row, now=self.now)
            self.queues[book].remove(hold)
            self.events["hold_cancelled"] += 1
            if hold[3] == "ready":
                self.route(hold[2], hold[1])

    @rule(book=books, index=borrowers)
    def suspend(self, book, index):
        if picked := self.pick(book, index):
            hold, row = picked
            reasons = [] if hold[2] is None else ["hold_has_copy"]
            if self.attempt(reasons, suspend_hold, hold=row, until=None):
                hold[3] = "suspended"
                self.events["hold_suspended"] += 1

    @rule(book=books, index=borrowers)
    def resume(self, book, index):
        if picked := self.pick(book, index):
            hold, row = picked
            reasons = [] if hold[3] == "suspended" else ["hold_not_suspended"]
            if self.attempt(reasons, resume_hold, hold=row):
                hold[3] = "waiting"
                self.events["hold_resumed"] += 1

    @rule(book=books, index=borrowers, position=st.integers(1, BORROWERS))
    def reorder(self, book, index, position):
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
        owed = sum(amount for loan, _borrower, amount in self.owed if loan.pk == row.pk)
        amount = part * owed
        if self.attempt(["more_than_owed"] if amount > owed else [], pay_fine, loan=row, amount=amount):
            self.debts[borrower] -= amount
            self.events["fine_paid"] += 1
            self.owed = [debt for debt in self.owed if debt[0].pk != row.pk]
            if amount < owed:
                self.owed.append([row, borrower, owed - amount])

    # Invariants.

    @invariant()
    def database_matches(self):
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
def test_desk_matches_the_model(settings):
    settings.FINE_LIMIT = LIMIT
    run(examples=30, steps=30)


@pytest.mark.slow
@pytest.mark.django_db
def test_desk_matches_the_model_in_long_runs(settings):
    settings.FINE_LIMIT = LIMIT
    run(examples=500, steps=80)
