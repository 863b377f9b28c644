from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.selectors.fines import fine_for, owed_by, owed_for
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.fines import pay_fine, waive_fine
from library.circulation.services.holds import place_hold
from library.circulation.services.lost import mark_found, mark_lost, reinstate, withdraw
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.transits import Action
from tests.databases import both_databases
from tests.factories import NOW, make_borrower, make_copy, make_policy

DAY = timedelta(days=1)
DUE = NOW + 10 * DAY


@pytest.fixture
def policy(request):
    request.getfixturevalue("database" if "database" in request.fixturenames else "db")
    return make_policy(loan_days=10, fine_per_day=Decimal("0.10"), grace_days=2, fine_cap=Decimal("1.00"))


def lend():
    return checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)


def kinds():
    return list(LoanEvent.objects.order_by("id").values_list("kind", flat=True))


def refusal(operation, **arguments):
    events, entries = LoanEvent.objects.count(), FineEntry.objects.count()
    with pytest.raises(CirculationRefused) as caught:
        operation(**arguments, now=NOW)
    assert (LoanEvent.objects.count(), FineEntry.objects.count()) == (events, entries)
    return caught.value.codes


@pytest.mark.parametrize(
    ("days_late", "fine"),
    [(-3, "0"), (0, "0"), (2, "0"), (3, "0.10"), (5, "0.30"), (12, "1.00"), (400, "1.00")],
)
def test_fine_grows_daily_after_grace_up_to_the_cap(policy, days_late, fine):
    loan = lend()
    result = checkin(copy=loan.copy, branch=None, now=DUE + days_late * DAY)
    assert (result.fine, owed_for(loan=loan), owed_by(borrower=loan.borrower)) == (Decimal(fine),) * 3


@both_databases
def test_balances_are_exact_to_the_cent(database, policy):
    loan = lend()
    FineEntry.objects.bulk_create(
        FineEntry(loan=loan, borrower=loan.borrower, kind="charge", amount=Decimal("0.10"), created_at=NOW)
        for _ in range(3)
    )
    pay_fine(loan=loan, amount=Decimal("0.20"), now=NOW)
    assert str(owed_for(loan=loan)) == "0.10"
    assert owed_by(borrower=make_borrower()) == 0


@st.composite
def late_loans(draw):
    cents = st.integers(0, 10_000).map(lambda n: Decimal(n) / 100)
    return Loan(
        due_at=NOW,
        fine_per_day=draw(cents),
        fine_cap=draw(cents),
        grace_days=draw(st.integers(0, 30)),
    )


@given(late_loans(), st.integers(-40, 400))
def test_fine_is_monotonic_capped_and_in_cents(loan, day):
    today = fine_for(loan=loan, until=NOW + day * DAY)
    tomorrow = fine_for(loan=loan, until=NOW + (day + 1) * DAY)
    assert 0 <= today <= tomorrow <= loan.fine_cap
    assert today == today.quantize(Decimal("0.01"))
    assert tomorrow - today <= loan.fine_per_day


def test_charge_refers_to_loan_and_borrower_with_event(policy):
    loan = lend()
    checkin(copy=loan.copy, branch=None, now=DUE + 5 * DAY)
    entry = FineEntry.objects.get()
    assert (entry.loan, entry.borrower, entry.kind, entry.amount, entry.created_at) == (
        loan,
        loan.borrower,
        "charge",
        Decimal("0.30"),
        DUE + 5 * DAY,
    )
    event = LoanEvent.objects.get(kind="fine_charged")
    assert (event.amount, event.loan, event.borrower) == (Decimal("0.30"), loan, loan.borrower)


@both_databases
def test_payment_and_waiver_are_recorded(database, policy):
    loan = lend()
    checkin(copy=loan.copy, branch=None, now=DUE + 5 * DAY)
    pay_fine(loan=loan, amount=Decimal("0.10"), now=NOW)
    entry = waive_fine(loan=loan, amount=Decimal("0.20"), reason=" was ill ", now=NOW)
    assert (entry.kind, entry.reason, owed_for(loan=loan)) == ("waiver", "was ill", 0)
    assert list(LoanEvent.objects.order_by("id").values_list("kind", "amount"))[-2:] == [
        ("fine_paid", Decimal("0.10")),
        ("fine_waived", Decimal("0.20")),
    ]


def test_overpayment_is_refused(policy):
    loan = lend()
    checkin(copy=loan.copy, branch=None, now=DUE + 5 * DAY)
    assert refusal(pay_fine, loan=loan, amount=Decimal("0.31")) == ("more_than_owed",)
    assert refusal(pay_fine, loan=loan, amount=Decimal(0)) == ("amount_not_positive",)
    assert refusal(pay_fine, loan=loan, amount=Decimal("0.001")) == ("amount_not_positive",)
    assert refusal(waive_fine, loan=loan, amount=Decimal("0.4"), reason=" ") == (
        "more_than_owed",
        "reason_missing",
    )


@both_databases
@pytest.mark.parametrize("fields", [{"amount": 0}, {"amount": -1}, {"kind": "waiver"}])
def test_database_rejects_invalid_fine_entries(database, fields):
    entry = {"borrower": make_borrower(), "kind": "charge", "amount": 1, "created_at": NOW}
    with pytest.raises(IntegrityError), transaction.atomic():
        FineEntry.objects.create(**entry | fields)


def test_losing_a_copy_keeps_the_loan_and_stops_the_fine(policy):
    loan = lend()
    mark_lost(copy=loan.copy, now=DUE + 3 * DAY)
    loan.refresh_from_db()
    assert (loan.lost_at, loan.returned_at, Copy.objects.get().status) == (DUE + 3 * DAY, None, "lost")
    assert owed_for(loan=loan) == Decimal("0.10")
    assert kinds() == ["checkout", "lost", "fine_charged"]
    result = mark_found(copy=loan.copy, branch=None, now=DUE + 300 * DAY)
    assert (result.fine, result.loan, result.action) == (0, loan, Action.SHELVE)
    assert kinds()[3:] == ["found", "checkin"]
    assert Loan.objects.get().returned_at == DUE + 300 * DAY


@pytest.mark.django_db
def test_copy_lost_from_the_shelf_can_be_found():
    copy = make_copy()
    mark_lost(copy=copy, now=NOW)
    assert refusal(mark_lost, copy=copy) == ("already_lost",)
    assert mark_found(copy=copy, branch=None, now=NOW).loan is None
    assert refusal(mark_found, copy=copy, branch=None) == ("not_lost",)
    assert kinds() == ["lost", "found"]


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [mark_lost, withdraw])
def test_hold_waits_again_when_its_copy_is_gone(operation):
    loan = lend()
    place_hold(book=loan.copy.book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW)
    operation(copy=loan.copy, now=NOW)
    hold = Hold.objects.get()
    assert (hold.status, hold.copy, hold.ready_at, hold.position) == ("waiting", None, None, 1)


@pytest.mark.django_db
def test_copy_is_withdrawn_and_reinstated():
    copy = make_copy()
    assert refusal(reinstate, copy=copy) == ("not_withdrawn",)
    withdraw(copy=copy, now=NOW)
    assert refusal(withdraw, copy=copy) == ("withdrawn",)
    assert refusal(mark_lost, copy=copy) == ("withdrawn",)
    assert reinstate(copy=copy, now=NOW).status == "available"
    assert kinds() == ["withdrawn", "reinstated"]


@pytest.mark.django_db
def test_copy_on_loan_cannot_be_withdrawn():
    assert refusal(withdraw, copy=lend().copy) == ("already_on_loan",)
