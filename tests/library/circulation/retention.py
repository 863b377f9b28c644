"""Loans for the tests of anonymising and erasing."""

from datetime import timedelta
from decimal import Decimal

from library.circulation.services.checkout import checkout
from tests.factories import (
    NOW,
    make_borrower,
    make_copy,
    make_loan,
    make_policy,
)

DAY = timedelta(days=1)


def lend(borrower=None, copy=None, now=NOW, **policy):
    make_policy(**{"loan_days": 5, "fine_per_day": Decimal(1), "fine_cap": Decimal(9)} | policy)
    return checkout(copy=copy or make_copy(), borrower=borrower or make_borrower(), branch=None, now=now)


def make_returned(days_ago, **fields):
    returned_at = NOW - days_ago * DAY
    return make_loan(borrowed_at=returned_at - DAY, due_at=returned_at, returned_at=returned_at, **fields)


def borrowers_of(*models):
    return [list(model.objects.values_list("borrower", flat=True)) for model in models]
