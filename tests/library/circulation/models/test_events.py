from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from library.circulation.models import LoanEvent
from tests.databases import both_databases, on_postgresql
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_copy,
    make_item_type,
    make_loan,
)

REMOVABLE = ("loan", "borrower")
#: Taken from the model, so that fields added later are tested too.
FIXED = [field.name for field in LoanEvent._meta.fields if field.name not in REMOVABLE]
OTHERS = {
    "id": lambda: 10_000,
    "kind": lambda: "lost",
    "occurred_at": lambda: NOW + timedelta(days=1),
    "book": make_book,
    "copy": make_copy,
    "branch": make_branch,
    "item_type": make_item_type,
    "borrower_category": make_borrower_category,
    "amount": lambda: 2,
}


@pytest.fixture
def event(database):
    loan = make_loan()
    return LoanEvent.objects.create(
        kind="checkout",
        occurred_at=NOW,
        book=loan.copy.book,
        copy=loan.copy,
        branch=make_branch(),
        item_type=make_item_type(),
        borrower_category=make_borrower_category(),
        loan=loan,
        borrower=loan.borrower,
        amount=1,
    )


def refused():
    return pytest.raises(IntegrityError, match="Loan events are append-only")


@both_databases
@pytest.mark.parametrize("field", [*FIXED, *REMOVABLE])
def test_database_rejects_changes_of_events(database, event, field):
    other = {"loan": make_loan, "borrower": make_borrower} | OTHERS
    with refused(), transaction.atomic():
        LoanEvent.objects.update(**{field: other[field]()})


@both_databases
@pytest.mark.parametrize("field", ["copy", "branch", "item_type", "borrower_category", "amount"])
def test_events_keep_their_grouping_columns(database, event, field):
    with refused(), transaction.atomic():
        LoanEvent.objects.update(**{field: None})


@both_databases
def test_database_rejects_deletion_of_events(database, event):
    with refused(), transaction.atomic():
        LoanEvent.objects.all().delete()
    with refused(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM circulation_loanevent")
    assert LoanEvent.objects.get() == event


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_rejects_replacement_of_events(database, event):
    with refused(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("REPLACE INTO circulation_loanevent SELECT * FROM circulation_loanevent")


@both_databases
def test_loan_and_borrower_can_be_removed(database, event):
    loan, borrower = event.loan, event.borrower
    LoanEvent.objects.update(loan=None, borrower=None)
    event.refresh_from_db()
    assert (event.loan, event.borrower, event.kind) == (None, None, "checkout")
    with refused(), transaction.atomic():
        LoanEvent.objects.update(loan=loan, borrower=borrower)


@both_databases
def test_event_outlives_its_borrower(database, event):
    event.loan.delete()
    event.borrower.delete()
    event.refresh_from_db()
    assert (event.loan, event.borrower) == (None, None)


@both_databases
def test_category_is_removed_only_with_the_borrower(database, event):
    with refused(), transaction.atomic():
        LoanEvent.objects.update(borrower=None, borrower_category=make_borrower_category())
    LoanEvent.objects.update(borrower=None, borrower_category=None)
    event.refresh_from_db()
    assert (event.borrower, event.borrower_category, event.loan) == (None, None, event.loan)


@both_databases
def test_category_cannot_be_removed_after_the_borrower(database, event):
    LoanEvent.objects.update(borrower=None)
    with refused(), transaction.atomic():
        LoanEvent.objects.update(borrower_category=None)


@on_postgresql
def test_postgresql_rejects_truncation_of_events(database, event):
    with refused(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE circulation_loanevent")
