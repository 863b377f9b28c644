"""The process is killed at every statement: all of an operation is there, or nothing."""

from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from tests.databases import both_databases
from tests.factories import NOW, make_borrower, make_copy, make_loan, make_policy
from tests.library.circulation.crash_child import keep_longer, kill_at, lend, take_back

LATE = {"borrowed_at": NOW - timedelta(days=30), "due_at": NOW - timedelta(days=2)}
TERMS = {"renewals_allowed": 2, "renewal_days": 28, "fine_per_day": 1, "grace_days": 0, "fine_cap": 9}
FINE = [("charge", Decimal(2))]


def held_copy():
    """Return a copy on the shelf and a borrower who waits for its title."""
    copy, borrower = make_copy(), make_borrower()
    Hold.objects.create(book=copy.book, borrower=borrower, position=1, placed_at=NOW)
    return copy, borrower


def late_loan(*, wanted):
    """Return a copy that is out and late, and who has it; with another borrower waiting if it is wanted."""
    copy, borrower = make_copy(status="on_loan", checkouts=1), make_borrower()
    make_loan(copy=copy, borrower=borrower, **LATE, **TERMS)
    if wanted:
        Hold.objects.create(book=copy.book, borrower=make_borrower(), position=1, placed_at=NOW)
    return copy, borrower


def told(copy):
    """Return all that the database says of a copy: its state, loans, holds, fines and events."""
    loans = Loan.objects.filter(copy=copy).order_by("pk")
    return (
        Copy.objects.values_list("status", "checkouts", "renewals").get(pk=copy.pk),
        [(loan.returned_at, loan.renewals, loan.due_at.date().isoformat()) for loan in loans],
        list(Hold.objects.filter(book=copy.book).values_list("status", "copy")),
        list(FineEntry.objects.filter(loan__copy=copy).values_list("kind", "amount")),
        sorted(LoanEvent.objects.filter(book=copy.book).values_list("kind", flat=True)),
    )


#: By name: what is done, what it begins with, and what is told before and after of a copy.
OPERATIONS = {
    "checkout": (
        lend,
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
        take_back,
        lambda: late_loan(wanted=True),
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
        keep_longer,
        lambda: late_loan(wanted=False),
        lambda copy: (("on_loan", 1, 0), [(None, 0, "2024-05-30")], [], [], []),
        lambda copy: (("on_loan", 1, 1), [(None, 1, "2024-06-29")], [], FINE, ["fine_charged", "renewal"]),
    ),
}


def assert_sound(copy):
    """What holds whatever happened: constraints, the copy's state by its loans, and no lock left."""
    connection.check_constraints()
    copy.refresh_from_db()
    is_out = Loan.objects.filter(copy=copy, returned_at=None).exists()
    assert (copy.status == "on_loan") == is_out
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA integrity_check")
            assert cursor.fetchall() == [("ok",)]
            return
        # Of clients alone: the server's own autovacuum may look at a table at any moment.
        cursor.execute(
            "SELECT relation::regclass FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            " AND datname = current_database()"
        )
        assert cursor.fetchall() == []


@both_databases
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_any_statement_an_operation_is_there_whole_or_not_at_all(database, operation):
    work, begin, before, after = OPERATIONS[operation]
    make_policy()
    outcomes = []
    for stop in count(1):
        copy, borrower = begin()
        keys = {"copy": copy.pk, "borrower": borrower.pk}
        assert told(copy) == before(copy)
        if not kill_at(stop, work=work, **keys):
            break
        assert_sound(copy)
        is_done = told(copy) == after(copy)
        outcomes.append(is_done)
        if not is_done:
            assert told(copy) == before(copy)
            work(**keys)
        assert told(copy) == after(copy)
        assert_sound(copy)
        # And the desk goes on with it.
        (take_back if Loan.objects.filter(copy=copy, returned_at=None).exists() else lend)(
            copy=copy.pk,
            borrower=Hold.objects.filter(copy=copy).values_list("borrower", flat=True).last() or 0,
        )
    # Only the last place is behind the commit.
    assert outcomes == [False] * (len(outcomes) - 1) + [True]
    assert len(outcomes) > 10
