from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.selectors.policies import NoPolicyError
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from library.circulation.services.lost import mark_lost, withdraw
from library.circulation.services.refusals import CirculationRefused
from tests.databases import both_databases
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_copy,
    make_item_type,
    make_loan,
    make_policy,
)

DAY = timedelta(days=1)


def lend(copy, borrower=None, branch=None, now=NOW):
    return checkout(copy=copy, borrower=borrower or make_borrower(), branch=branch, now=now)


def refusal(copy, borrower=None):
    """Return the codes of the refusal; check that nothing was written."""
    events = LoanEvent.objects.count()
    before = Copy.objects.values().get(pk=copy.pk)
    loans = Loan.objects.count()
    with pytest.raises(CirculationRefused) as caught:
        lend(copy, borrower)
    assert (LoanEvent.objects.count(), Loan.objects.count()) == (events, loans)
    assert Copy.objects.values().get(pk=copy.pk) == before
    return caught.value.codes


@both_databases
def test_checkout_copies_the_policy_terms(database):
    branch, item_type, category = make_branch(), make_item_type(), make_borrower_category()
    make_policy(
        branch=branch,
        loan_days=14,
        renewals_allowed=1,
        renewal_days=7,
        fine_per_day=Decimal("0.20"),
        grace_days=2,
        fine_cap=Decimal("5.00"),
    )
    copy, borrower = make_copy(item_type=item_type), make_borrower(category=category)
    loan = lend(copy, borrower, branch)
    loan.refresh_from_db()
    assert (loan.copy, loan.borrower, loan.branch, loan.borrowed_at) == (copy, borrower, branch, NOW)
    assert loan.due_at == datetime(2024, 6, 15, 23, 59, 59, 999999, tzinfo=UTC)
    assert (loan.renewals_allowed, loan.renewal_days, loan.grace_days) == (1, 7, 2)
    assert (loan.fine_per_day, loan.fine_cap) == (Decimal("0.20"), Decimal("5.00"))
    copy.refresh_from_db()
    assert (copy.status, copy.checkouts, copy.last_seen_at) == ("on_loan", 1, NOW)
    event = LoanEvent.objects.get()
    assert (event.kind, event.occurred_at, event.copy, event.book, event.branch) == (
        "checkout",
        NOW,
        copy,
        copy.book,
        branch,
    )
    assert (event.loan, event.borrower, event.item_type, event.borrower_category) == (
        loan,
        borrower,
        item_type,
        category,
    )


@pytest.mark.django_db
def test_policy_change_does_not_affect_existing_loans():
    loan = lend(make_copy())
    make_policy(renewals_allowed=0, fine_per_day=1, fine_cap=9)
    loan.refresh_from_db()
    assert (loan.renewals_allowed, loan.fine_per_day) == (2, 0)


@pytest.mark.django_db
def test_blocked_borrower_is_refused_with_the_reason():
    borrower = make_borrower(blocked="card reported stolen")
    with pytest.raises(CirculationRefused) as caught:
        lend(make_copy(), borrower)
    assert caught.value.message == "The borrower is blocked: card reported stolen"
    assert caught.value.extra == {
        "reasons": [{"code": "blocked", "message": "The borrower is blocked: card reported stolen"}]
    }


@pytest.mark.django_db
@pytest.mark.parametrize(("owed", "codes"), [("10.00", None), ("10.01", ("overdue_fines",))])
def test_fine_limit_blocks_checkout(owed, codes, settings):
    settings.FINE_LIMIT = Decimal(10)
    borrower = make_borrower()
    FineEntry.objects.create(borrower=borrower, kind="charge", amount=Decimal(owed), created_at=NOW)
    copy = make_copy()
    if codes:
        assert refusal(copy, borrower) == codes
    else:
        assert lend(copy, borrower).copy == copy


@pytest.mark.django_db
def test_loan_limit_blocks_checkout():
    make_policy(max_loans=1)
    borrower = make_borrower()
    lend(make_copy(), borrower)
    assert refusal(make_copy(), borrower) == ("limit_reached",)
    Loan.objects.update(returned_at=NOW)
    assert lend(make_copy(), borrower).borrower == borrower


@pytest.mark.django_db
def test_item_type_limit_counts_only_that_type():
    films = make_item_type()
    make_policy(item_type=films, max_loans=1)
    borrower = make_borrower()
    lend(make_copy(), borrower)
    lend(make_copy(item_type=films), borrower)
    assert refusal(make_copy(item_type=films), borrower) == ("limit_reached",)


@pytest.mark.django_db
def test_copy_on_loan_is_refused():
    copy, borrower = make_copy(), make_borrower()
    lend(copy, borrower)
    assert refusal(copy) == ("already_on_loan",)
    assert refusal(copy, borrower) == ("already_on_loan",)


@pytest.mark.django_db
def test_open_loan_overrides_the_copy_status():
    loan = make_loan()
    assert loan.copy.status == "available"
    assert refusal(loan.copy) == ("already_on_loan",)


@pytest.mark.django_db
def test_unavailable_copy_is_refused():
    assert refusal(withdraw(copy=make_copy(), now=NOW)) == ("withdrawn",)
    assert refusal(mark_lost(copy=make_copy(), now=NOW)) == ("not_available",)
    assert refusal(make_copy(status="in_transit")) == ("not_available",)


@pytest.mark.django_db
def test_all_reasons_are_reported_at_once():
    make_policy(max_loans=0)
    borrower = make_borrower(blocked="moved away")
    FineEntry.objects.create(borrower=borrower, kind="charge", amount=11, created_at=NOW)
    assert refusal(make_copy(status="withdrawn"), borrower) == (
        "blocked",
        "overdue_fines",
        "limit_reached",
        "withdrawn",
    )


@pytest.mark.django_db
def test_checkout_without_policy_fails():
    make_policy().delete()
    copy = make_copy(item_type=make_item_type(name="Film"))
    with pytest.raises(NoPolicyError, match="item type Film") as caught:
        lend(copy)
    assert caught.value.extra == {"branch": "*", "borrower_category": "*", "item_type": "Film"}


@pytest.mark.django_db
def test_waiting_holds_reserve_copies_on_the_shelf():
    book = make_book()
    first, second = make_copy(book=book), make_copy(book=book)
    waiting = make_borrower()
    place_hold(book=book, borrower=waiting, pickup_branch=None, now=NOW)
    lend(first)
    assert refusal(second) == ("held_for_another",)
    loan = lend(second, waiting)
    hold = Hold.objects.get()
    assert (hold.status, hold.copy) == ("fulfilled", second)
    assert list(LoanEvent.objects.filter(borrower=waiting).order_by("id").values_list("kind", "copy")) == [
        ("hold_placed", None),
        ("checkout", second.pk),
        ("hold_fulfilled", second.pk),
    ]
    assert loan.borrower == waiting


@pytest.mark.django_db
def test_later_hold_does_not_overtake():
    book = make_book()
    copy = make_copy(book=book)
    first, second = make_borrower(), make_borrower()
    for borrower in (first, second):
        place_hold(book=book, borrower=borrower, pickup_branch=None, now=NOW)
    assert refusal(copy, second) == ("held_for_another",)
    assert lend(copy, first).borrower == first


@pytest.mark.django_db
def test_suspended_hold_reserves_nothing():
    book = make_book()
    copy = make_copy(book=book)
    hold = place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    Hold.objects.filter(pk=hold.pk).update(status="suspended", suspended_until=date(2024, 6, 3))
    with pytest.raises(CirculationRefused):
        lend(copy, now=NOW + 2 * DAY)
    assert lend(copy, now=NOW + DAY).copy == copy


@pytest.mark.django_db
def test_checkout_has_constant_query_count(django_assert_num_queries):
    book = make_book()
    copy, borrower = make_copy(book=book), make_borrower()
    for _ in range(10):
        make_copy(book=book)
        place_hold(book=book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    # A savepoint and its release; locks of borrower, copy with book, and queue; policy, loans, balance,
    # shelf, closed days; copy, loan, event.
    with django_assert_num_queries(13):
        lend(copy, borrower)
