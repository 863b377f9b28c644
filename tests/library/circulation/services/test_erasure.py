"""Borrowers are erased."""

from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from library.circulation.models import CoBorrowing, FineEntry, Hold, Loan, LoanEvent
from library.circulation.services.checkin import checkin
from library.circulation.services.erasure import erase_borrower
from library.circulation.services.fines import pay_fine
from library.circulation.services.holds import place_hold
from library.circulation.services.refusals import CirculationRefused
from library.people.models import Borrower
from tests.classifier.factories import make_recommendation
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_copy,
    make_loan,
)
from tests.library.circulation.retention import DAY, borrowers_of, lend, make_returned

pytestmark = pytest.mark.django_db


def test_erasure_removes_the_person_and_keeps_counts():
    borrower = make_borrower(card_number="P1", name="Anna Chen", email="anna@example.org")
    loan = lend(borrower=borrower)
    checkin(copy=loan.copy, branch=None, now=NOW + 7 * DAY)
    pay_fine(loan=loan, amount=Decimal(2), now=NOW + 8 * DAY)
    held = make_copy().book
    place_hold(book=held, borrower=borrower, pickup_branch=None, now=NOW)
    make_recommendation(borrower=borrower, book=held)
    erasure = erase_borrower(borrower=borrower, now=NOW + 9 * DAY)
    assert (erasure.loans, erasure.holds) == (1, 1)
    assert not Borrower.objects.exists()
    assert borrowers_of(Loan, Hold, FineEntry) == [[None], [None], [None, None]]
    assert set(LoanEvent.objects.values_list("borrower", flat=True)) == {None}
    assert Hold.objects.get().status == "cancelled"
    loan.copy.refresh_from_db()
    assert loan.copy.checkouts == 1


def test_erasure_is_refused_with_open_loans_or_balance():
    borrower = make_borrower()
    overdue = lend(borrower=borrower)
    checkin(copy=overdue.copy, branch=None, now=NOW + 7 * DAY)
    out = lend(borrower=borrower, now=NOW + 7 * DAY)
    with pytest.raises(CirculationRefused) as refused:
        erase_borrower(borrower=borrower, now=NOW + 8 * DAY)
    assert refused.value.codes == ("loans_open", "fines_owed")
    checkin(copy=out.copy, branch=None, now=NOW + 8 * DAY)
    with pytest.raises(CirculationRefused) as refused:
        erase_borrower(borrower=borrower, now=NOW + 8 * DAY)
    assert refused.value.codes == ("fines_owed",)
    assert set(Loan.objects.values_list("borrower", flat=True)) == {borrower.pk}


def test_copy_on_hold_shelf_goes_to_the_next_hold():
    book = make_copy().book
    first, second = make_borrower(), make_borrower()
    for borrower in (first, second):
        place_hold(book=book, borrower=borrower, pickup_branch=None, now=NOW)
    checkin(copy=book.copies.get(), branch=None, now=NOW)
    erase_borrower(borrower=first, now=NOW)
    assert Hold.objects.get(borrower=second).status == "ready"


def test_frequent_pair_is_counted(settings):
    settings.CO_BORROWING_MIN = 2
    first, second = make_book(), make_book()
    for _ in range(2):
        borrower = make_borrower()
        for book in (first, second):
            make_loan(copy=make_copy(book=book), borrower=borrower, returned_at=NOW)
    erase_borrower(borrower=borrower, now=NOW)
    assert CoBorrowing.objects.get().count == 1


def test_command_takes_the_card_number(capsys):
    loan = make_returned(1, borrower=make_borrower(card_number="P1"))
    with pytest.raises(CommandError, match="No borrower has the card number P2") as caught:
        call_command("erase_borrower", "P2")
    assert caught.value.returncode == 1
    call_command("erase_borrower", "P1")
    assert capsys.readouterr().out == "Borrower erased. Anonymised loans: 1, holds: 0.\n"
    loan.refresh_from_db()
    assert loan.borrower is None
