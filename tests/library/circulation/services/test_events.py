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

CUT = ("loan", "borrower")
#: Named by the model, so that a field added later is tried too.
KEPT = [field.name for field in LoanEvent._meta.fields if field.name not in CUT]
OTHERS = {
    "id": lambda: 10_000,
    "kind": lambda: "lost",
    "at": lambda: NOW + timedelta(days=1),
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
        at=NOW,
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
    return pytest.raises(IntegrityError, match="Loan events are kept as they were written")


@both_databases
@pytest.mark.parametrize("field", [*KEPT, *CUT])
def test_the_database_refuses_to_change_an_event(database, event, field):
    other = {"loan": make_loan, "borrower": make_borrower} | OTHERS
    with refused(), transaction.atomic():
        LoanEvent.objects.update(**{field: other[field]()})


@both_databases
@pytest.mark.parametrize("field", ["copy", "branch", "item_type", "borrower_category", "amount"])
def test_what_is_counted_by_is_not_cut_off_either(database, event, field):
    with refused(), transaction.atomic():
        LoanEvent.objects.update(**{field: None})


@both_databases
def test_the_database_refuses_to_delete_an_event(database, event):
    with refused(), transaction.atomic():
        LoanEvent.objects.all().delete()
    with refused(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM circulation_loanevent")
    assert LoanEvent.objects.get() == event


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_does_not_replace_an_event_either(database, event):
    with refused(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("REPLACE INTO circulation_loanevent SELECT * FROM circulation_loanevent")


@both_databases
def test_the_loan_and_the_borrower_can_be_cut_off(database, event):
    loan, borrower = event.loan, event.borrower
    LoanEvent.objects.update(loan=None, borrower=None)
    event.refresh_from_db()
    assert (event.loan, event.borrower, event.kind) == (None, None, "checkout")
    with refused(), transaction.atomic():
        LoanEvent.objects.update(loan=loan, borrower=borrower)


@both_databases
def test_the_event_outlives_its_borrower(database, event):
    event.loan.delete()
    event.borrower.delete()
    event.refresh_from_db()
    assert (event.loan, event.borrower) == (None, None)


@both_databases
def test_the_category_goes_only_where_the_borrower_goes(database, event):
    with refused(), transaction.atomic():
        LoanEvent.objects.update(borrower=None, borrower_category=make_borrower_category())
    LoanEvent.objects.update(borrower=None, borrower_category=None)
    event.refresh_from_db()
    assert (event.borrower, event.borrower_category, event.loan) == (None, None, event.loan)


@both_databases
def test_the_category_stays_once_the_borrower_is_gone(database, event):
    LoanEvent.objects.update(borrower=None)
    with refused(), transaction.atomic():
        LoanEvent.objects.update(borrower_category=None)


@on_postgresql
def test_postgresql_does_not_truncate_the_events_either(database, event):
    with refused(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE circulation_loanevent")
