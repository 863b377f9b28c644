"""Kill the process at every statement: an operation is complete or has no effect."""

from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from tests.databases import both_databases
from tests.factories import NOW, make_borrower, make_copy, make_loan, make_policy
from tests.library.circulation.crash_child import kill_at, run_checkin, run_checkout, run_renewal

OVERDUE = {"borrowed_at": NOW - timedelta(days=30), "due_at": NOW - timedelta(days=2)}
TERMS = {"renewals_allowed": 2, "renewal_days": 28, "fine_per_day": 1, "grace_days": 0, "fine_cap": 9}
FINE = [("charge", Decimal(2))]


def held_copy():
    """Return a copy on the shelf and a borrower with a hold on its title."""
    copy, borrower = make_copy(), make_borrower()
    Hold.objects.create(book=copy.book, borrower=borrower, position=1, placed_at=NOW)
    return copy, borrower


def overdue_copy(*, on_hold):
    """Return an overdue copy and its borrower; with `on_hold`, another borrower waits for the title."""
    copy, borrower = make_copy(status="on_loan", checkouts=1), make_borrower()
    make_loan(copy=copy, borrower=borrower, **OVERDUE, **TERMS)
    if on_hold:
        Hold.objects.create(book=copy.book, borrower=make_borrower(), position=1, placed_at=NOW)
    return copy, borrower


def state_of(copy):
    """Return the state, loans, holds, fines and events of a copy."""
    loans = Loan.objects.filter(copy=copy).order_by("pk")
    return (
        Copy.objects.values_list("status", "checkouts", "renewals").get(pk=copy.pk),
        [(loan.returned_at, loan.renewals, loan.due_at.date().isoformat()) for loan in loans],
        list(Hold.objects.filter(book=copy.book).values_list("status", "copy")),
        list(FineEntry.objects.filter(loan__copy=copy).values_list("kind", "amount")),
        sorted(LoanEvent.objects.filter(book=copy.book).values_list("kind", flat=True)),
    )


#: By name: the operation, its setup, and the state of the copy before and after.
OPERATIONS = {
    "checkout": (
        run_checkout,
        held_copy,
        lambda copy: (("available", 0, 0), [], [("waiting", None)], [], []),
        lambda copy: (
            ("on_loan", 1, 0),
            [(None, 0, "2024-06-29")],
            [("fulfilled", copy.pk)],
            [],
            ["checkout", "hold_fulfilled"],
        ),
    ),
    "checkin": (
        run_checkin,
        lambda: overdue_copy(on_hold=True),
        lambda copy: (("on_loan", 1, 0), [(None, 0, "2024-05-30")], [("waiting", None)], [], []),
        lambda copy: (
            ("on_hold_shelf", 1, 0),
            [(NOW, 0, "2024-05-30")],
            [("ready", copy.pk)],
            FINE,
            ["checkin", "fine_charged", "hold_ready"],
        ),
    ),
    "renewal": (
        run_renewal,
        lambda: overdue_copy(on_hold=False),
        lambda copy: (("on_loan", 1, 0), [(None, 0, "2024-05-30")], [], [], []),
        lambda copy: (("on_loan", 1, 1), [(None, 1, "2024-06-29")], [], FINE, ["fine_charged", "renewal"]),
    ),
}


def assert_sound(copy):
    """Check constraints, the status of the copy against its loans, and that no lock is left."""
    connection.check_constraints()
    copy.refresh_from_db()
    is_on_loan = Loan.objects.filter(copy=copy, returned_at=None).exists()
    assert (copy.status == "on_loan") == is_on_loan
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA integrity_check")
            assert cursor.fetchall() == [("ok",)]
            return
        # Only locks of clients: autovacuum may lock a table at any moment.
        cursor.execute(
            "SELECT relation::regclass FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            " AND datname = current_database()"
        )
        assert cursor.fetchall() == []


@both_databases
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations_are_atomic_when_killed(database, operation):
    work, set_up, before, after = OPERATIONS[operation]
    make_policy()
    outcomes = []
    for stop in count(1):
        copy, borrower = set_up()
        keys = {"copy": copy.pk, "borrower": borrower.pk}
        assert state_of(copy) == before(copy)
        if not kill_at(stop, work=work, **keys):
            break
        assert_sound(copy)
        is_done = state_of(copy) == after(copy)
        outcomes.append(is_done)
        if not is_done:
            assert state_of(copy) == before(copy)
            work(**keys)
        assert state_of(copy) == after(copy)
        assert_sound(copy)
        # The desk can continue with the copy.
        (run_checkin if Loan.objects.filter(copy=copy, returned_at=None).exists() else run_checkout)(
            copy=copy.pk,
            borrower=Hold.objects.filter(copy=copy).values_list("borrower", flat=True).last() or 0,
        )
    # Only the last pause point is after the commit.
    assert outcomes == [False] * (len(outcomes) - 1) + [True]
    assert len(outcomes) > 10
