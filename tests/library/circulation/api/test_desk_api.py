from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from library.catalogue.models import Copy
from library.circulation.models import Hold, Loan
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from library.circulation.services.renewals import renew
from library.people.models import AuditEntry
from tests.factories import make_borrower, make_branch, make_copy, make_policy
from tests.logins import api, make_librarian, make_user_without_permissions
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db

LOANS = "/api/v1/loans/"
HOLDS = "/api/v1/holds/"


@pytest.fixture
def client():
    return api(make_librarian())


def post(client, url, **data):
    response = client.post(url, data, format="json")
    return response.status_code, response.json()


def lend(copy=None):
    return checkout(copy=copy or make_copy(), borrower=make_borrower(), branch=None, now=timezone.now())


def place(copy=None, **fields):
    book = (copy or make_copy()).book
    return place_hold(book=book, borrower=make_borrower(**fields), pickup_branch=None, now=timezone.now())


def test_checkout_by_barcode_and_card(client):
    branch, copy, borrower = make_branch(), make_copy(), make_borrower()
    desk = {"barcode": copy.barcode, "card_number": borrower.card_number, "branch": branch.code}
    code, row = post(client, LOANS, **desk)
    loan = Loan.objects.get()
    assert (code, row["id"], row["barcode"], row["branch"]) == (201, loan.pk, copy.barcode, branch.pk)
    assert (loan.copy, loan.borrower, loan.branch) == (copy, borrower, branch)


def test_loan_is_checked_in_once(client):
    branch, loan = make_branch(), lend()
    code, row = post(client, f"{LOANS}{loan.pk}/checkin/", branch=branch.code)
    assert (code, row["action"], row["loan"]["id"]) == (200, "shelve", loan.pk)
    later = lend(loan.copy)
    code, problem = post(client, f"{LOANS}{loan.pk}/checkin/")
    assert (code, problem["extra"]["reasons"][0]["code"]) == (409, "not_on_loan")
    later.refresh_from_db()
    assert later.returned_at is None


def test_allows_renewal_changes_nothing(client):
    make_policy(renewals_allowed=1)
    loan = lend()
    url = f"{LOANS}{loan.pk}/allows_renewal/"
    expected = {"allows_renewal": True, "reasons": [], "renewals": 0, "renewals_allowed": 1}
    assert client.get(url).json() == expected
    renew(loan=loan, now=timezone.now())
    place(loan.copy)
    loan.borrower.blocked = "moved away"
    loan.borrower.save()
    result = client.get(url).json()
    reasons = ["blocked", "renewals_exhausted", "held_for_another"]
    assert (result["allows_renewal"], [reason["code"] for reason in result["reasons"]]) == (False, reasons)
    _code, problem = post(client, f"{LOANS}{loan.pk}/renew/")
    assert problem["extra"]["reasons"] == result["reasons"]
    checkin(copy=loan.copy, branch=None, now=timezone.now())
    (reason,) = client.get(url).json()["reasons"]
    assert reason["code"] == "not_on_loan"
    assert Loan.objects.get().renewals == 1
    assert AuditEntry.objects.filter(action="viewed", object_key=loan.pk).count() == 3


def test_refusal_is_409_with_all_reasons(client):
    make_policy(max_loans=0)
    loan = lend_past_the_limit()
    borrower = make_borrower(blocked="moved away")
    code, problem = post(client, LOANS, barcode=loan.copy.barcode, card_number=borrower.card_number)
    assert (code, problem["code"]) == (409, "circulation_refused")
    reasons = problem["extra"]["reasons"]
    assert reasons == [
        {"code": "blocked", "message": "The borrower is blocked: moved away"},
        {"code": "limit_reached", "message": "Loan limit reached (0 of 0)."},
        {
            "code": "already_on_loan",
            "message": f"Copy {loan.copy.barcode} is checked out. Check it in first.",
        },
    ]
    assert problem["detail"] == " ".join(reason["message"] for reason in reasons)


def lend_past_the_limit():
    make_policy(max_loans=1)
    loan = lend()
    make_policy(max_loans=0)
    return loan


def test_unknown_barcode_is_400(client):
    code, problem = post(client, f"{LOANS}checkin/", barcode="nope")
    assert (code, list(errors_by_place(problem))) == (400, ["/barcode"])


def test_checkin_by_barcode_returns_the_next_step(client):
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


def test_checkin_at_a_branch_sends_the_copy_home(client):
    home, away = make_branch(), make_branch()
    copy = make_copy(branch=home)
    _code, row = post(client, f"{LOANS}checkin/", barcode=copy.barcode, branch=away.code)
    assert (row["action"], row["destination"], row["loan"]) == ("send", home.code, None)


def test_second_renewal_is_409(client):
    make_policy(renewals_allowed=1)
    loan = lend()
    code, row = post(client, f"{LOANS}{loan.pk}/renew/")
    assert (code, row["renewals"]) == (200, 1)
    code, problem = post(client, f"{LOANS}{loan.pk}/renew/")
    assert (code, problem["extra"]["reasons"][0]["code"]) == (409, "renewals_exhausted")


def test_hold_lifecycle(client):
    copy, borrower, branch = make_copy(), make_borrower(), make_branch()
    place(copy)
    hold = {"book": copy.book_id, "card_number": borrower.card_number, "pickup_branch": branch.code}
    code, row = post(client, HOLDS, **hold)
    assert (code, row["position"], row["status"], row["pickup_branch"]) == (201, 2, "waiting", branch.code)
    url = f"{HOLDS}{row['id']}/"
    until = (timezone.now() + timedelta(days=30)).date().isoformat()
    code, row = post(client, f"{url}suspend/", until=until)
    assert (code, row["status"], row["suspended_until"]) == (200, "suspended", until)
    assert post(client, f"{url}resume/")[1]["status"] == "waiting"
    assert post(client, f"{url}reorder/", position=1)[1]["position"] == 1
    assert post(client, f"{url}cancel/")[1]["status"] == "cancelled"
    code, problem = post(client, f"{url}cancel/")
    assert (code, problem["extra"]["reasons"][0]["code"]) == (409, "hold_not_active")


@pytest.mark.parametrize("name", ["book", "borrower", "card_number", "status"])
def test_holds_filter(client, name):
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


def test_moving_a_loan_reconciles_copies(client):
    first, second = make_copy(), make_copy()
    loan = lend(first)
    client.patch(f"{LOANS}{loan.pk}/", {"copy": second.pk}, format="json")
    assert list(Copy.objects.order_by("pk").values_list("status", "checkouts")) == [
        ("available", 0),
        ("on_loan", 1),
    ]


def test_desk_needs_permissions():
    loan, hold, client = lend(), place(), api(make_user_without_permissions())
    for url in (
        LOANS,
        f"{LOANS}checkin/",
        f"{LOANS}{loan.pk}/renew/",
        HOLDS,
        f"{HOLDS}{hold.pk}/cancel/",
    ):
        assert client.post(url, {}, format="json").status_code == 403
    assert client.get(HOLDS).status_code == 403


#: Permissions of user and group, records named in the request, queries of the service in its savepoint, audit
#: entry; holds are read again for the response.
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
def test_desk_endpoints_keep_their_query_budget(client, waiting):
    copy, borrower = make_copy(), make_borrower()
    for _ in range(waiting):
        place(copy)
        make_copy(book=copy.book)
    desk = {"barcode": copy.barcode, "card_number": borrower.card_number}
    counts = {}

    def counted(name, url, **data):
        with CaptureQueriesContext(connection) as queries:
            code, row = post(client, url, **data)
        assert code in (200, 201), row
        counts[name] = len(queries)
        return row

    loan = counted("checkout", LOANS, **desk)
    counted("renew", f"{LOANS}{loan['id']}/renew/")
    counted("checkin", f"{LOANS}checkin/", barcode=copy.barcode)
    hold = counted("place", HOLDS, book=copy.book_id, card_number=borrower.card_number)
    url = f"{HOLDS}{hold['id']}/"
    counted("suspend", f"{url}suspend/")
    counted("resume", f"{url}resume/")
    counted("reorder", f"{url}reorder/", position=waiting + 1)
    counted("cancel", f"{url}cancel/")
    assert counts == BUDGETS


def test_availability_counts_copies_and_holds():
    copy = make_copy(branch=make_branch(code="main", name="Main"))
    lend(copy)
    place(copy)
    place(copy)
    suspended = place(copy)
    Hold.objects.filter(pk=suspended.pk).update(status="suspended")
    Hold.objects.filter(pk=place(copy).pk).update(status="cancelled")
    client = api(make_user_without_permissions())
    response = client.get(f"/api/v1/books/{copy.book_id}/availability/")
    main = {"branch": copy.branch_id, "code": "main", "name": "Main", "copies": 1, "available": 0}
    assert response.json() == {"copies": 1, "available": 0, "branches": [main], "holds_waiting": 3}
    assert client.get("/api/v1/books/0/availability/").status_code == 404
