"""Database constraints on loans."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from library.circulation.models import Loan
from tests.databases import both_databases
from tests.factories import NOW, make_copy, make_loan

BEFORE = NOW - timedelta(days=1)


@both_databases
@pytest.mark.parametrize(
    "changes",
    [{"returned_at": BEFORE}, {"due_at": BEFORE}, {"lost_at": BEFORE}, {"renewals": -1}, {"fine_cap": 1}],
    ids=lambda changes: next(iter(changes)),
)
def test_database_rejects_invalid_loans(database, changes):
    loan = make_loan(borrowed_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Loan.objects.filter(pk=loan.pk).update(**changes)


@both_databases
def test_database_rejects_second_open_loan_of_a_copy(database):
    copy = make_copy()
    returned = make_loan(copy=copy, returned_at=NOW)
    make_loan(copy=copy, borrowed_at=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Loan.objects.filter(pk=returned.pk).update(returned_at=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_loan(copy=copy, borrowed_at=NOW)
