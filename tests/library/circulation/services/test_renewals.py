from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Loan, LoanEvent
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from library.circulation.services.lost import mark_lost
from library.circulation.services.reconciliation import reconcile_copies
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.renewals import renew
from tests.databases import both_databases
from tests.factories import NOW, make_book, make_borrower, make_copy, make_loan, make_policy

DAY = timedelta(days=1)


def lend(copy=None, borrower=None):
    return checkout(copy=copy or make_copy(), borrower=borrower or make_borrower(), branch=None, now=NOW)


def refusal(loan, now=NOW + DAY):
    events = LoanEvent.objects.count()
    with pytest.raises(CirculationRefused) as caught:
        renew(loan=loan, now=now)
    assert LoanEvent.objects.count() == events
    return caught.value.codes


def end_of(day):
    return datetime.combine(day.date(), datetime.max.time(), tzinfo=UTC)


@both_databases
def test_renewal_counts_from_today(database):
    make_policy(loan_days=10, renewal_days=20)
    loan = lend()
    renewed = renew(loan=loan, now=NOW + 5 * DAY)
    loan.refresh_from_db()
    assert (loan.renewals, loan.due_at, renewed.due_at) == (1, end_of(NOW + 25 * DAY), loan.due_at)
    assert Copy.objects.get().renewals == 1
    assert list(LoanEvent.objects.order_by("id").values_list("kind", "loan", "borrower")) == [
        ("checkout", loan.pk, loan.borrower_id),
        ("renewal", loan.pk, loan.borrower_id),
    ]


@pytest.mark.django_db
def test_renewal_never_shortens_a_loan():
    make_policy(loan_days=30, renewal_days=7)
    loan = lend()
    due = loan.due_at
    assert renew(loan=loan, now=NOW + DAY).due_at == due


@pytest.mark.django_db
def test_renewal_limit_is_enforced():
    make_policy(renewals_allowed=1)
    loan = lend()
    renew(loan=loan, now=NOW)
    assert refusal(loan) == ("renewals_exhausted",)


@pytest.mark.django_db
def test_ended_loan_is_not_renewed():
    loan = lend()
    checkin(copy=loan.copy, branch=None, now=NOW)
    assert refusal(loan) == ("not_on_loan",)
    lend(loan.copy)
    assert refusal(loan) == ("not_on_loan",)


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "make"), [("copy", make_copy), ("borrower", make_borrower)])
def test_loan_edited_concurrently_is_not_renewed(name, make):
    loan = lend()
    Loan.objects.filter(pk=loan.pk).update(**{name: make()})
    assert refusal(loan) == ("not_on_loan",)


@pytest.mark.django_db
def test_lost_copy_is_not_renewed():
    loan = lend()
    mark_lost(copy=loan.copy, now=NOW)
    assert refusal(loan) == ("lost",)


@pytest.mark.django_db
def test_held_title_is_renewed_only_with_a_spare_copy():
    book = make_book()
    loan = lend(make_copy(book=book))
    spare = make_copy(book=book)
    place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    assert renew(loan=loan, now=NOW).renewals == 1
    spare.delete()
    assert refusal(loan) == ("held_for_another",)


@pytest.mark.django_db
def test_all_reasons_are_reported_at_once():
    make_policy(renewals_allowed=0)
    loan = lend()
    FineEntry.objects.create(borrower=loan.borrower, kind="charge", amount=11, created_at=NOW)
    loan.borrower.blocked = "moved away"
    loan.borrower.save()
    assert refusal(loan) == ("blocked", "overdue_fines", "renewals_exhausted")


@pytest.mark.django_db
def test_renewal_charges_the_fine_and_the_cap_covers_the_loan():
    make_policy(loan_days=1, renewal_days=1, fine_per_day=1, fine_cap=4)
    loan = renew(loan=lend(), now=NOW + 4 * DAY)
    assert [entry.amount for entry in FineEntry.objects.all()] == [Decimal("3.00")]
    result = checkin(copy=loan.copy, branch=None, now=NOW + 30 * DAY)
    assert result.fine == Decimal("1.00")


@pytest.mark.django_db
def test_imported_loan_is_renewed_by_the_current_policy():
    make_policy(renewal_days=9, fine_per_day=1, fine_cap=5)
    loan = make_loan()
    reconcile_copies(copy_ids=[loan.copy_id])
    renew(loan=loan, now=NOW + 21 * DAY)
    loan.refresh_from_db()
    assert (loan.renewals, loan.renewal_days, loan.fine_cap) == (1, 9, 5)
    assert loan.due_at == end_of(NOW + 30 * DAY)


@pytest.mark.django_db
def test_renewal_has_constant_query_count(django_assert_num_queries):
    book = make_book()
    loan = lend(make_copy(book=book))
    for _ in range(5):
        make_copy(book=book)
        place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    # A savepoint and its release, four locks, balance, shelf, closed days; loan, copy, event.
    with django_assert_num_queries(12):
        renew(loan=loan, now=NOW)
