from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from library.circulation.services.renewals import renew
from library.people.models import AuditEntry
from tests.factories import NOW, make_borrower, make_branch, make_copy, make_loan, make_policy
from tests.logins import api, make_librarian, make_reader
from tests.problems import faults

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
    code, row = post(client, LOANS, **desk)
    loan = Loan.objects.get()
    assert (code, row["id"], row["barcode"], row["branch"]) == (201, loan.pk, copy.barcode, branch.pk)
    assert (loan.copy, loan.borrower, loan.branch) == (copy, borrower, branch)


def test_the_copy_of_a_loan_comes_back_once(client):
    branch, loan = make_branch(), lend()
    code, row = post(client, f"{LOANS}{loan.pk}/checkin/", branch=branch.code)
    assert (code, row["action"], row["loan"]["id"]) == (200, "shelve", loan.pk)
    later = lend(loan.copy)
    code, problem = post(client, f"{LOANS}{loan.pk}/checkin/")
    assert (code, problem["extra"]["reasons"][0]["code"]) == (409, "not_on_loan")
    later.refresh_from_db()
    assert later.returned_at is None


def test_it_is_told_whether_a_loan_can_be_renewed_and_nothing_changes(client):
    make_policy(renewals_allowed=1)
    loan = lend()
    address = f"{LOANS}{loan.pk}/allows_renewal/"
    told = {"allows_renewal": True, "reasons": [], "renewals": 0, "renewals_allowed": 1}
    assert client.get(address).json() == told
    renew(loan=loan, now=timezone.now())
    place(loan.copy)
    loan.borrower.blocked = "moved away"
    loan.borrower.save()
    told = client.get(address).json()
    reasons = ["blocked", "renewals_exhausted", "held_for_another"]
    assert (told["allows_renewal"], [reason["code"] for reason in told["reasons"]]) == (False, reasons)
    _code, problem = post(client, f"{LOANS}{loan.pk}/renew/")
    assert problem["extra"]["reasons"] == told["reasons"]
    checkin(copy=loan.copy, branch=None, now=timezone.now())
    (reason,) = client.get(address).json()["reasons"]
    assert reason["code"] == "not_on_loan"
    assert Loan.objects.get().renewals == 1
    assert AuditEntry.objects.filter(action="viewed", object_key=loan.pk).count() == 3


def test_a_borrowers_account_says_what_is_out_waited_for_owed_and_in_the_way(client, settings):
    borrower = make_borrower(card_number="P1", name="Zyxwvut", blocked="moved away")
    later, loan = make_loan(borrower=borrower, due_at=NOW + timedelta(days=9)), make_loan(borrower=borrower)
    loan.due_at = NOW
    loan.save()
    returned = make_loan(borrower=borrower, returned_at=NOW)
    hold = Hold.objects.create(book=make_copy().book, borrower=borrower, position=1, placed_at=NOW)
    Hold.objects.create(book=hold.book, borrower=borrower, position=2, placed_at=NOW, status="cancelled")
    FineEntry.objects.create(loan=returned, borrower=borrower, kind="charge", amount=12, at=NOW)
    account = client.get(f"/api/v1/borrowers/{borrower.pk}/account/").json()
    assert (account["borrower"], account["card_number"]) == (borrower.pk, "P1")
    assert [row["id"] for row in account["loans"]] == [loan.pk, later.pk]
    assert [row["id"] for row in account["holds"]] == [hold.pk]
    assert account["owed"] == "12.00"
    assert account["fines"] == [{"loan": returned.pk, "title": returned.copy.book.title, "owed": "12.00"}]
    assert [reason["code"] for reason in account["blocks"]] == ["blocked", "overdue_fines"]
    assert "Zyxwvut" not in str(account)
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.object_type, entry.object_key) == (
        "viewed",
        "people.borrower",
        str(borrower.pk),
    )


def test_an_account_takes_as_many_queries_for_much_as_for_little(client):
    borrower = make_borrower()
    counts = []
    for _ in range(2):
        for _ in range(3):
            loan = make_loan(borrower=borrower)
            FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount=1, at=NOW)
            Hold.objects.create(book=loan.copy.book, borrower=borrower, position=1, placed_at=NOW)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/api/v1/borrowers/{borrower.pk}/account/").status_code == 200
        counts.append(len(queries))
    # The first time, what the client may do is looked up too.
    assert counts == [9, 7]


def test_an_account_is_for_those_who_may_see_borrowers_and_loans(client):
    borrower = make_borrower()
    address = f"/api/v1/borrowers/{borrower.pk}/account/"
    assert api(make_reader()).get(address).status_code == 403
    assert client.get("/api/v1/borrowers/0/account/").status_code == 404


def test_a_refusal_is_a_conflict_with_all_reasons(client):
    make_policy(max_loans=0)
    loan = lend_past_the_limit()
    borrower = make_borrower(blocked="moved away")
    code, problem = post(client, LOANS, barcode=loan.copy.barcode, card_number=borrower.card_number)
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
    assert (code, list(faults(problem))) == (400, ["/barcode"])


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
        LOANS,
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

    loan = counted("checkout", LOANS, **desk)
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
