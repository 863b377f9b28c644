from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from tests.factories import make_borrower, make_branch, make_copy, make_policy
from tests.logins import api, make_librarian, make_reader

pytestmark = pytest.mark.django_db

LOANS = "/api/v1/loans/"
HOLDS = "/api/v1/holds/"


@pytest.fixture
def client():
    return api(make_librarian())


def post(client, address, **data):
    answer = client.post(address, data, format="json")
    return answer.status_code, answer.json()


def lend(copy=None):
    return checkout(copy=copy or make_copy(), borrower=make_borrower(), branch=None, now=timezone.now())


def place(copy=None, **fields):
    book = (copy or make_copy()).book
    return place_hold(book=book, borrower=make_borrower(**fields), pickup_branch=None, now=timezone.now())


def test_a_copy_is_lent_by_barcode_and_card(client):
    branch, copy, borrower = make_branch(), make_copy(), make_borrower()
    desk = {"barcode": copy.barcode, "card_number": borrower.card_number, "branch": branch.code}
    code, row = post(client, f"{LOANS}checkout/", **desk)
    loan = Loan.objects.get()
    assert (code, row["id"], row["barcode"], row["branch"]) == (201, loan.pk, copy.barcode, branch.pk)
    assert (loan.copy, loan.borrower, loan.branch) == (copy, borrower, branch)


def test_a_refusal_is_a_conflict_with_all_reasons(client):
    make_policy(max_loans=0)
    loan = lend_past_the_limit()
    borrower = make_borrower(blocked="moved away")
    code, problem = post(
        client, f"{LOANS}checkout/", barcode=loan.copy.barcode, card_number=borrower.card_number
    )
    assert (code, problem["code"]) == (409, "circulation_refused")
    reasons = problem["extra"]["reasons"]
    assert reasons == [
        {"code": "blocked", "message": "The borrower is blocked: moved away"},
        {"code": "limit_reached", "message": "The borrower has 0 on loan; the rule allows 0."},
        {
            "code": "already_on_loan",
            "message": f"The copy {loan.copy.barcode} is on loan: check it in first.",
        },
    ]
    assert problem["detail"] == " ".join(reason["message"] for reason in reasons)


def lend_past_the_limit():
    make_policy(max_loans=1)
    loan = lend()
    make_policy(max_loans=0)
    return loan


def test_an_unknown_barcode_is_named(client):
    code, problem = post(client, f"{LOANS}checkin/", barcode="nope")
    assert (code, list(problem["errors"])) == (400, ["barcode"])


def test_a_copy_comes_back_and_is_told_where_to_go(client):
    loan = lend()
    hold = place(loan.copy)
    code, row = post(client, f"{LOANS}checkin/", barcode=loan.copy.barcode)
    assert (code, row["action"], row["hold"], row["destination"], row["fine"]) == (
        200,
        "hold_shelf",
        hold.pk,
        None,
        "0.00",
    )
    assert row["loan"]["id"] == loan.pk


def test_a_copy_is_sent_to_the_branch_that_is_named(client):
    home, away = make_branch(), make_branch()
    copy = make_copy(branch=home)
    _code, row = post(client, f"{LOANS}checkin/", barcode=copy.barcode, branch=away.code)
    assert (row["action"], row["destination"], row["loan"]) == ("send", home.code, None)


def test_a_loan_is_renewed_and_then_refused(client):
    make_policy(renewals_allowed=1)
    loan = lend()
    code, row = post(client, f"{LOANS}{loan.pk}/renew/")
    assert (code, row["renewals"]) == (200, 1)
    code, problem = post(client, f"{LOANS}{loan.pk}/renew/")
    assert (code, problem["extra"]["reasons"][0]["code"]) == (409, "renewals_exhausted")


def test_a_hold_is_placed_suspended_resumed_moved_and_cancelled(client):
    copy, borrower, branch = make_copy(), make_borrower(), make_branch()
    place(copy)
    hold = {"book": copy.book_id, "card_number": borrower.card_number, "pickup_branch": branch.code}
    code, row = post(client, HOLDS, **hold)
    assert (code, row["position"], row["status"], row["pickup_branch"]) == (201, 2, "waiting", branch.code)
    address = f"{HOLDS}{row['id']}/"
    until = (timezone.now() + timedelta(days=30)).date().isoformat()
    code, row = post(client, f"{address}suspend/", until=until)
    assert (code, row["status"], row["suspended_until"]) == (200, "suspended", until)
    assert post(client, f"{address}resume/")[1]["status"] == "waiting"
    assert post(client, f"{address}reorder/", position=1)[1]["position"] == 1
    assert post(client, f"{address}cancel/")[1]["status"] == "cancelled"
    code, problem = post(client, f"{address}cancel/")
    assert (code, problem["extra"]["reasons"][0]["code"]) == (409, "hold_not_active")


@pytest.mark.parametrize("name", ["book", "borrower", "card_number", "status"])
def test_holds_are_filtered_by(client, name):
    hold = place()
    other = place()
    Hold.objects.filter(pk=other.pk).update(status="cancelled")
    value = {
        "book": hold.book_id,
        "borrower": hold.borrower_id,
        "card_number": hold.borrower.card_number,
        "status": "waiting",
    }[name]
    assert [row["id"] for row in client.get(f"{HOLDS}?{name}={value}").json()["results"]] == [hold.pk]


def test_a_correction_by_hand_leaves_the_copies_right(client):
    one, other = make_copy(), make_copy()
    loan = lend(one)
    client.patch(f"{LOANS}{loan.pk}/", {"copy": other.pk}, format="json")
    assert list(Copy.objects.order_by("pk").values_list("status", "checkouts")) == [
        ("available", 0),
        ("on_loan", 1),
    ]


def test_a_reader_works_at_no_desk():
    loan, hold, client = lend(), place(), api(make_reader())
    for address in (
        f"{LOANS}checkout/",
        f"{LOANS}checkin/",
        f"{LOANS}{loan.pk}/renew/",
        HOLDS,
        f"{HOLDS}{hold.pk}/cancel/",
    ):
        assert client.post(address, {}, format="json").status_code == 403
    assert client.get(HOLDS).status_code == 403


#: Permissions of user and group, what the request names, what the service does in its savepoint, the entry;
#: of a hold, the answer reads it anew.
BUDGETS = {
    "checkout": 20,
    "renew": 16,
    "checkin": 18,
    "place": 18,
    "suspend": 12,
    "resume": 12,
    "reorder": 11,
    "cancel": 12,
}


@pytest.mark.parametrize("waiting", [1, 10])
def test_each_address_of_the_desk_keeps_its_budget_however_many_wait(client, waiting):
    copy, borrower = make_copy(), make_borrower()
    for _ in range(waiting):
        place(copy)
        make_copy(book=copy.book)
    desk = {"barcode": copy.barcode, "card_number": borrower.card_number}
    counts = {}

    def counted(name, address, **data):
        with CaptureQueriesContext(connection) as queries:
            code, row = post(client, address, **data)
        assert code in (200, 201), row
        counts[name] = len(queries)
        return row

    loan = counted("checkout", f"{LOANS}checkout/", **desk)
    counted("renew", f"{LOANS}{loan['id']}/renew/")
    counted("checkin", f"{LOANS}checkin/", barcode=copy.barcode)
    hold = counted("place", HOLDS, book=copy.book_id, card_number=borrower.card_number)
    address = f"{HOLDS}{hold['id']}/"
    counted("suspend", f"{address}suspend/")
    counted("resume", f"{address}resume/")
    counted("reorder", f"{address}reorder/", position=waiting + 1)
    counted("cancel", f"{address}cancel/")
    assert counts == BUDGETS


def test_a_title_says_where_it_can_be_had_and_how_many_wait():
    copy = make_copy(branch=make_branch(code="main", name="Main"))
    lend(copy)
    place(copy)
    place(copy)
    suspended = place(copy)
    Hold.objects.filter(pk=suspended.pk).update(status="suspended")
    Hold.objects.filter(pk=place(copy).pk).update(status="cancelled")
    reader = api(make_reader())
    answer = reader.get(f"/api/v1/books/{copy.book_id}/availability/")
    main = {"branch": copy.branch_id, "code": "main", "name": "Main", "copies": 1, "available": 0}
    assert answer.json() == {"copies": 1, "available": 0, "branches": [main], "holds_waiting": 3}
    assert reader.get("/api/v1/books/0/availability/").status_code == 404
