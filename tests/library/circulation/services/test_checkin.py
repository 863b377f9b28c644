from datetime import timedelta
from decimal import Decimal

import pytest

from library.catalogue.models import Copy
from library.circulation.models import Hold, LoanEvent
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.transits import Action
from tests.databases import both_databases
from tests.factories import NOW, make_book, make_borrower, make_branch, make_copy, make_loan, make_policy

DAY = timedelta(days=1)


def lend(copy, now=NOW, branch=None):
    return checkout(copy=copy, borrower=make_borrower(), branch=branch, now=now)


def hold_on(book, branch=None, borrower=None):
    borrower = borrower or make_borrower()
    return place_hold(book=book, borrower=borrower, pickup_branch=branch, now=NOW)


def status(copy):
    return Copy.objects.get(pk=copy.pk).status


def kinds():
    return list(LoanEvent.objects.order_by("id").values_list("kind", flat=True))


@both_databases
def test_returned_copy_is_shelved(database):
    make_policy()
    loan = lend(make_copy())
    result = checkin(copy=loan.copy, branch=None, now=NOW + DAY)
    loan.refresh_from_db()
    assert (result.loan, result.action, result.hold, result.destination) == (loan, Action.SHELVE, None, None)
    assert (result.fine, loan.returned_at, status(loan.copy)) == (0, NOW + DAY, "available")
    assert result.copy.last_seen_at == NOW + DAY
    assert kinds() == ["checkout", "checkin"]


@pytest.mark.django_db
def test_copy_not_on_loan_is_routed_without_event():
    copy = make_copy()
    result = checkin(copy=copy, branch=None, now=NOW)
    assert (result.loan, result.action, status(copy), kinds()) == (None, Action.SHELVE, "available", [])


@pytest.mark.django_db
def test_copy_returned_elsewhere_is_sent_home():
    home, away = make_branch(), make_branch()
    loan = lend(make_copy(branch=home), branch=home)
    result = checkin(copy=loan.copy, branch=away, now=NOW)
    assert (result.action, result.destination, status(loan.copy)) == (Action.SEND, home, "in_transit")
    result = checkin(copy=loan.copy, branch=home, now=NOW)
    assert (result.action, result.destination, status(loan.copy)) == (Action.SHELVE, None, "available")


@both_databases
def test_first_hold_gets_the_copy(database):
    make_policy()
    loan = lend(make_copy())
    first, _second = hold_on(loan.copy.book), hold_on(loan.copy.book)
    result = checkin(copy=loan.copy, branch=None, now=NOW + DAY)
    assert (result.action, result.hold) == (Action.HOLD_SHELF, first)
    first.refresh_from_db()
    assert (first.status, first.copy, first.ready_at) == ("ready", loan.copy, NOW + DAY)
    assert status(loan.copy) == "on_hold_shelf"
    assert kinds()[-2:] == ["checkin", "hold_ready"]


@pytest.mark.django_db
def test_copy_on_hold_shelf_is_reserved():
    loan = lend(make_copy())
    hold, other = hold_on(loan.copy.book), hold_on(loan.copy.book)
    checkin(copy=loan.copy, branch=None, now=NOW)
    with pytest.raises(CirculationRefused) as caught:
        checkout(copy=loan.copy, borrower=other.borrower, branch=None, now=NOW)
    assert caught.value.codes == ("held_for_another",)
    checkout(copy=loan.copy, borrower=hold.borrower, branch=None, now=NOW)
    hold.refresh_from_db()
    assert (hold.status, status(loan.copy)) == ("fulfilled", "on_loan")


@pytest.mark.django_db
def test_copy_is_sent_to_the_pickup_branch():
    here, there = make_branch(), make_branch()
    book = make_book()
    first, second = lend(make_copy(book=book)), lend(make_copy(book=book))
    hold = hold_on(book, there)
    result = checkin(copy=first.copy, branch=here, now=NOW)
    assert (result.action, result.hold, result.destination) == (Action.SEND, hold, there)
    hold.refresh_from_db()
    assert (hold.status, hold.copy, status(first.copy)) == ("waiting", first.copy, "in_transit")
    assert checkin(copy=second.copy, branch=here, now=NOW).action == Action.SHELVE
    assert "hold_ready" not in kinds()
    result = checkin(copy=first.copy, branch=there, now=NOW + DAY)
    assert (result.action, result.hold.status) == (Action.HOLD_SHELF, "ready")


@pytest.mark.django_db
def test_checkin_of_copy_on_hold_shelf_changes_nothing():
    loan = lend(make_copy())
    hold = hold_on(loan.copy.book)
    checkin(copy=loan.copy, branch=None, now=NOW)
    before, events = Hold.objects.values().get(), kinds()
    result = checkin(copy=loan.copy, branch=None, now=NOW + DAY)
    assert (result.action, result.hold, Hold.objects.values().get(), kinds()) == (
        Action.HOLD_SHELF,
        hold,
        before,
        events,
    )


@pytest.mark.django_db
def test_checkout_of_another_copy_frees_the_set_aside_one():
    book = make_book()
    one, other = make_copy(book=book), make_copy(book=book)
    loan = lend(one)
    first = hold_on(book)
    checkin(copy=one, branch=None, now=NOW)
    second = hold_on(book)
    checkout(copy=other, borrower=first.borrower, branch=None, now=NOW)
    second.refresh_from_db()
    assert (second.status, second.copy, status(loan.copy)) == ("ready", one, "on_hold_shelf")


@pytest.mark.django_db
def test_withdrawn_copy_is_refused():
    with pytest.raises(CirculationRefused) as caught:
        checkin(copy=make_copy(status="withdrawn"), branch=None, now=NOW)
    assert caught.value.codes == ("withdrawn",)


@pytest.mark.django_db
def test_return_before_checkout_is_refused():
    loan = lend(make_copy())
    with pytest.raises(CirculationRefused) as caught:
        checkin(copy=loan.copy, branch=None, now=NOW - DAY)
    assert caught.value.codes == ("before_checkout",)


@pytest.mark.django_db
def test_imported_loan_has_no_fine():
    loan = make_loan(due_at=NOW - timedelta(days=5))
    make_policy(fine_per_day=1, fine_cap=10)
    assert checkin(copy=loan.copy, branch=None, now=NOW).fine == Decimal(0)


@pytest.mark.django_db
def test_checkin_has_constant_query_count(django_assert_num_queries):
    loan = lend(make_copy())
    for _ in range(10):
        hold_on(loan.copy.book)
    # Two for a savepoint; whether the loan is anonymised at return; locks of copy with book, queue and loan;
    # the borrower of the first hold; loan, event, hold, event, copy.
    with django_assert_num_queries(12):
        checkin(copy=loan.copy, branch=None, now=NOW)
