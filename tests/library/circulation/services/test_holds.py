from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan, LoanEvent
from library.circulation.selectors.holds import hold_queue
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import (
    cancel_hold,
    expire_hold,
    place_hold,
    reorder_hold,
    resume_hold,
    suspend_hold,
)
from library.circulation.services.refusals import CirculationRefused
from library.circulation.services.renewals import renew
from library.circulation.services.transits import Action
from library.people.models import PERSONAL_FIELDS, Borrower
from tests.databases import both_databases
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_branch,
    make_copy,
    make_item_type,
    make_policy,
)
from tests.library.people.keyrings import put_token

DAY = timedelta(days=1)


def place(book, borrower=None, branch=None):
    return place_hold(book=book, borrower=borrower or make_borrower(), pickup_branch=branch, now=NOW)


def refusal(operation, **arguments):
    events = LoanEvent.objects.count()
    with pytest.raises(CirculationRefused) as caught:
        operation(**arguments, now=NOW)
    assert LoanEvent.objects.count() == events
    return caught.value.codes


def hold_refusal(book, borrower=None):
    return refusal(place_hold, book=book, borrower=borrower or make_borrower(), pickup_branch=None)


def copy_on_loan(book):
    """Return a copy of the book that is on loan."""
    copy = make_copy(book=book)
    checkout(copy=copy, borrower=make_borrower(), branch=None, now=NOW)
    return copy


def kinds():
    return list(LoanEvent.objects.order_by("id").values_list("kind", flat=True))


@both_databases
def test_holds_queue_in_order_of_placement(database):
    make_policy()
    branch, book = make_branch(), make_copy().book
    first, second = place(book, branch=branch), place(book)
    assert hold_queue(book=book) == [first, second]
    assert (first.position, second.position, first.placed_at, first.status) == (1, 2, NOW, "waiting")
    event = LoanEvent.objects.order_by("id")[0]
    assert (event.kind, event.book, event.branch, event.borrower, event.copy, event.loan) == (
        "hold_placed",
        book,
        branch,
        first.borrower,
        None,
        None,
    )


@pytest.mark.django_db
def test_second_hold_on_a_title_is_refused():
    hold = place(make_copy().book)
    assert hold_refusal(hold.book, hold.borrower) == ("hold_exists",)
    cancel_hold(hold=hold, now=NOW)
    assert place(hold.book, hold.borrower).position == 1


@pytest.mark.django_db
def test_title_on_loan_to_the_borrower_is_refused():
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    assert hold_refusal(loan.copy.book, loan.borrower) == ("already_on_loan",)


@pytest.mark.django_db
def test_title_without_circulating_copies_is_refused():
    book = make_book()
    assert hold_refusal(book) == ("not_available",)
    make_copy(book=book, status="lost")
    make_copy(book=book, status="withdrawn")
    assert hold_refusal(book) == ("not_available",)
    make_copy(book=book, status="on_loan")
    assert place(book).position == 1


@pytest.mark.django_db
def test_highest_hold_limit_of_the_item_types_applies():
    make_policy(holds_allowed=0)
    book, films = make_book(), make_item_type()
    make_copy(book=book)
    borrower = make_borrower()
    assert hold_refusal(book, borrower) == ("holds_limit_reached",)
    make_policy(item_type=films, holds_allowed=1)
    make_copy(book=book, item_type=films)
    assert place(book, borrower).borrower == borrower
    assert hold_refusal(make_copy(item_type=films).book, borrower) == ("holds_limit_reached",)


@pytest.mark.django_db
def test_all_reasons_are_reported_at_once():
    make_policy(holds_allowed=1)
    hold = place(make_copy().book)
    FineEntry.objects.create(borrower=hold.borrower, kind="charge", amount=11, created_at=NOW)
    hold.borrower.blocked = "moved away"
    hold.borrower.save()
    assert hold_refusal(hold.book, hold.borrower) == (
        "blocked",
        "overdue_fines",
        "hold_exists",
        "holds_limit_reached",
    )


@pytest.mark.django_db
def test_suspended_hold_keeps_its_place_and_is_skipped():
    book = make_book()
    copy = copy_on_loan(book)
    first, second = place(book), place(book)
    suspend_hold(hold=first, until=None, now=NOW)
    result = checkin(copy=copy, branch=None, now=NOW)
    assert (result.hold, hold_queue(book=book)) == (second, [first, second])
    assert "hold_suspended" in kinds()


@pytest.mark.django_db
def test_suspended_hold_waits_again_from_its_date():
    book = make_book()
    copy, other = copy_on_loan(book), copy_on_loan(book)
    hold = place(book)
    suspend_hold(hold=hold, until=date(2024, 6, 3), now=NOW)
    assert checkin(copy=copy, branch=None, now=NOW + DAY).action == Action.SHELVE
    assert checkin(copy=other, branch=None, now=NOW + 2 * DAY).hold == hold
    hold.refresh_from_db()
    assert (hold.status, hold.suspended_until) == ("ready", None)


@pytest.mark.django_db
def test_hold_is_resumed():
    hold = place(make_copy().book)
    assert refusal(resume_hold, hold=hold) == ("hold_not_suspended",)
    suspend_hold(hold=hold, until=date(2024, 7, 1), now=NOW)
    resume_hold(hold=hold, now=NOW)
    hold.refresh_from_db()
    assert (hold.status, hold.suspended_until) == ("waiting", None)
    assert kinds() == ["hold_placed", "hold_suspended", "hold_resumed"]


@pytest.mark.django_db
def test_suspension_needs_a_future_date():
    hold = place(make_copy().book)
    assert refusal(suspend_hold, hold=hold, until=date(2024, 6, 1)) == ("until_not_later",)


@pytest.mark.django_db
def test_hold_with_a_copy_is_not_suspended():
    book = make_book()
    copy = copy_on_loan(book)
    hold = place(book)
    checkin(copy=copy, branch=None, now=NOW)
    assert refusal(suspend_hold, hold=hold, until=None) == ("hold_has_copy",)


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [cancel_hold, resume_hold, expire_hold])
def test_ended_hold_is_refused(operation):
    hold = place(make_copy().book)
    cancel_hold(hold=hold, now=NOW)
    assert refusal(operation, hold=hold) == ("hold_not_active",)


@pytest.mark.django_db
def test_copy_of_cancelled_hold_goes_to_the_next_hold():
    book = make_book()
    copy = copy_on_loan(book)
    first, second = place(book), place(book)
    checkin(copy=copy, branch=None, now=NOW)
    routing = cancel_hold(hold=first, now=NOW)
    assert (routing.action, routing.hold) == (Action.HOLD_SHELF, second)
    assert cancel_hold(hold=second, now=NOW).action == Action.SHELVE
    assert Copy.objects.get().status == "available"
    assert list(Hold.objects.values_list("status", flat=True)) == ["cancelled", "cancelled"]


@pytest.mark.django_db
def test_uncollected_copy_goes_to_the_next_hold(settings):
    settings.HOLD_SHELF_DAYS = 7
    book = make_book()
    copy = copy_on_loan(book)
    hold = place(book)
    assert refusal(expire_hold, hold=hold) == ("not_expired",)
    checkin(copy=copy, branch=None, now=NOW)
    with pytest.raises(CirculationRefused, match="has not been on the hold shelf for 7 days yet"):
        expire_hold(hold=hold, now=NOW + 7 * DAY)
    assert expire_hold(hold=hold, now=NOW + 8 * DAY).action == Action.SHELVE
    hold.refresh_from_db()
    assert (hold.status, kinds()[-1]) == ("expired", "hold_expired")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("position", "order"), [(1, [2, 0, 1]), (2, [0, 2, 1]), (3, [0, 1, 2]), (99, [0, 1, 2]), (0, [2, 0, 1])]
)
def test_hold_is_reordered(position, order):
    book = make_copy().book
    holds = [place(book) for _ in range(3)]
    reorder_hold(hold=holds[2], position=position, now=NOW)
    queue = hold_queue(book=book)
    assert [holds.index(hold) for hold in queue] == order
    assert [hold.position for hold in queue] == [1, 2, 3]


@both_databases
def test_database_allows_one_active_hold_per_borrower_and_copy(database):
    copy, borrower = make_copy(), make_borrower()
    fields = {"book": copy.book, "placed_at": NOW, "position": 1}
    ready = {"status": "ready", "copy": copy, "ready_at": NOW}
    Hold.objects.create(borrower=borrower, **fields, **ready)
    Hold.objects.create(borrower=borrower, **fields, status="cancelled")
    for invalid in (
        {"borrower": borrower},
        {"borrower": make_borrower()} | ready,
        {"borrower": make_borrower(), "status": "ready"},
        {"borrower": make_borrower(), "status": "suspended", "copy": make_copy()},
        {"borrower": make_borrower(), "position": 0},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Hold.objects.create(**fields | invalid)


@pytest.mark.django_db
def test_desk_works_without_decrypting_personal_data():
    copy, anna, bert = make_copy(), make_borrower(), make_borrower()
    for borrower in (anna, bert):
        put_token(borrower, "damaged")
    anna, bert = (Borrower.objects.defer(*PERSONAL_FIELDS).get(pk=person.pk) for person in (anna, bert))
    loan = checkout(copy=copy, borrower=anna, branch=None, now=NOW)
    renew(loan=Loan.objects.get(pk=loan.pk), now=NOW)
    hold = place_hold(book=copy.book, borrower=bert, pickup_branch=None, now=NOW)
    suspend_hold(hold=hold, until=None, now=NOW)
    resume_hold(hold=hold, now=NOW)
    reorder_hold(hold=hold, position=1, now=NOW)
    for _ in range(2):  # again while it is on the hold shelf
        result = checkin(copy=copy, branch=None, now=NOW)
        assert str(result.hold.borrower) == bert.card_number
    cancel_hold(hold=hold, now=NOW)
    assert Copy.objects.get(pk=copy.pk).status == "available"
