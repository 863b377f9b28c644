"""Fines, policies, closed days and notices in the API, with branches, item types and borrower categories."""

from datetime import timedelta

import pytest
from django.utils import timezone

from library.admin_site.roles import ADMINISTRATORS, ANALYSTS, CIRCULATION
from library.circulation.models import ClosedDay, FineEntry, LoanPolicy, Notice
from library.circulation.selectors.fines import owed_for
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.people.models import AuditEntry
from tests.factories import NOW, make_borrower, make_branch, make_copy, make_item_type, make_loan, make_policy
from tests.logins import api, desk, make_librarian, make_user, make_user_without_permissions
from tests.problems import errors_by_place

pytestmark = pytest.mark.django_db

FINES = "/api/v1/fines/"
POLICIES = "/api/v1/loan-policies/"
DAYS = "/api/v1/closed-days/"
POLICY_KEYS = ["/api/v1/branches/", "/api/v1/item-types/", "/api/v1/borrower-categories/"]


@pytest.fixture
def client():
    return api(make_user(CIRCULATION))


@pytest.fixture
def admin():
    return api(make_user(ADMINISTRATORS))


def post(client, url, **data):
    response = client.post(url, data, format="json")
    return response.status_code, response.json()


def loan_with_fine():
    """A returned loan with a balance of 3.00."""
    make_policy(loan_days=1, fine_per_day=1, fine_cap=5)
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW + timedelta(days=4))
    return loan


def test_part_payment_and_waiver_settle_a_fine(client):
    loan = loan_with_fine()
    code, row = post(client, f"{FINES}pay/", loan=loan.pk, amount="1.00")
    assert (code, row["kind"], row["amount"], row["loan"]) == (201, "payment", "1.00", loan.pk)
    assert (row["card_number"], row["title"]) == (loan.borrower.card_number, loan.copy.book.title)
    code, row = post(client, f"{FINES}waive/", loan=loan.pk, amount="2.00", reason="was ill")
    assert (code, row["kind"], row["reason"]) == (201, "waiver", "was ill")
    assert owed_for(loan=loan) == 0
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_type, entry.object_key) == (
        "changed",
        "circulation.fineentry",
        str(row["id"]),
    )


def test_refusal_is_409_with_all_codes(client):
    loan = loan_with_fine()
    code, problem = post(client, f"{FINES}waive/", loan=loan.pk, amount="4.00", reason=" ")
    assert (code, problem["code"]) == (409, "circulation_refused")
    reasons = problem["extra"]["reasons"]
    assert [reason["code"] for reason in reasons] == ["more_than_owed", "reason_missing"]
    code, problem = post(client, f"{FINES}pay/", loan=loan.pk, amount="0.00")
    assert [reason["code"] for reason in problem["extra"]["reasons"]] == ["amount_not_positive"]
    assert FineEntry.objects.count() == 1


@pytest.mark.parametrize("name", ["borrower", "card_number", "loan", "kind"])
def test_ledger_filters(client, name):
    loan = loan_with_fine()
    other = make_loan()
    FineEntry.objects.create(loan=other, borrower=other.borrower, kind="payment", amount=1, created_at=NOW)
    value = {
        "borrower": loan.borrower_id,
        "card_number": loan.borrower.card_number,
        "loan": loan.pk,
        "kind": "charge",
    }[name]
    assert [row["loan"] for row in client.get(f"{FINES}?{name}={value}").json()["results"]] == [loan.pk]


@pytest.mark.parametrize("rows", [2, 30])
def test_payment_has_constant_query_count(client, rows, django_assert_num_queries):
    loan = loan_with_fine()
    client.get(FINES)  # reads the permissions, once per user
    for _ in range(rows):
        FineEntry.objects.create(loan=loan, borrower=loan.borrower, kind="charge", amount=1, created_at=NOW)
    # Loan; savepoints of the view and the service (four); borrower, balance, entry, its borrower and title
    # (two), event; audit entry.
    with django_assert_num_queries(12):
        assert post(client, f"{FINES}pay/", loan=loan.pk, amount="1.00")[0] == 201


def test_policy_permissions(client, admin):
    films = make_item_type()
    policy = {"item_type": films.pk, "loan_days": 7, "fine_per_day": "0.50"}
    assert post(client, POLICIES, **policy)[0] == 403
    code, row = post(admin, POLICIES, **policy)
    assert (code, row["branch"], row["loan_days"], row["fine_per_day"]) == (201, None, 7, "0.50")
    response = admin.patch(f"{POLICIES}{row['id']}/", {"loan_days": 3}, format="json")
    assert (response.status_code, LoanPolicy.objects.get(item_type=films).loan_days) == (200, 3)
    assert client.get(f"{POLICIES}?item_type={films.pk}").json()["results"][0]["loan_days"] == 3
    code, problem = post(admin, POLICIES, **policy)
    assert (code, errors_by_place(problem)) == (
        400,
        {
            "": [
                (
                    "A loan policy for this branch, borrower category and item type already exists. Edit "
                    "that policy instead."
                )
            ]
        },
    )


def test_closed_day_permissions(client, admin):
    branch = make_branch()
    assert post(client, DAYS, date="2024-12-25")[0] == 403
    assert post(admin, DAYS, date="2024-12-25")[0] == 201
    code, row = post(admin, DAYS, date="2024-12-25", branch=branch.pk)
    assert (code, row["branch_code"]) == (201, branch.code)
    again = post(admin, DAYS, date="2024-12-25", branch=branch.pk)[1]
    assert errors_by_place(again) == {"": ["This day is already entered as a closed day."]}
    ClosedDay.objects.create(date="2024-12-31")
    rows = client.get(f"{DAYS}?date_before=2024-12-30").json()["results"]
    assert [row["branch"] for row in rows] == [None, branch.pk]


@pytest.mark.parametrize("url", POLICY_KEYS)
def test_policy_key_permissions(client, admin, url):
    record = {"code": "north", "name": "North"}
    assert post(client, url, **record)[0] == 403
    code, row = post(admin, url, **record)
    assert (code, row["code"], row["name"]) == (201, "north", "North")
    response = admin.patch(f"{url}{row['id']}/", {"name": "South"}, format="json")
    assert response.json()["name"] == "South"
    assert [row["name"] for row in client.get(f"{url}?code=north").json()["results"]] == ["South"]
    assert errors_by_place(post(admin, url, **record)[1]).keys() == {"/code"}


def test_notices_need_permission(client):
    loan = make_loan()
    fields = {"occasion": loan.due_at, "message_id": "<a@b>", "claimed_at": NOW}
    Notice.objects.create(loan=loan, kind="due_soon", state="sent", sent_at=NOW, **fields)
    Notice.objects.create(loan=loan, kind="overdue_1", **fields)
    (row,) = client.get("/api/v1/notices/?state=sent").json()["results"]
    assert (row["kind"], row["loan"], row["card_number"]) == ("due_soon", loan.pk, loan.borrower.card_number)
    assert AuditEntry.objects.latest("pk").object_type == "circulation.notice"
    for other in (make_user_without_permissions(), make_user(ANALYSTS)):
        assert api(other).get("/api/v1/notices/").status_code == 403


def test_admin_accepts_policies_and_closed_days_per_branch():
    client = desk(make_librarian())
    terms = ("loan_days", "max_loans", "renewals_allowed", "renewal_days", "holds_allowed", "grace_days")
    form = dict.fromkeys((*terms, "fine_per_day", "fine_cap"), 1)
    for number in (2, 3):
        policy = form | {"branch": make_branch().pk}
        assert client.post("/admin/circulation/loanpolicy/add/", policy).status_code == 302
        assert LoanPolicy.objects.count() == number
    key = LoanPolicy.objects.latest("pk").pk
    changed = policy | {"loan_days": 9}
    assert client.post(f"/admin/circulation/loanpolicy/{key}/change/", changed).status_code == 302
    for branch in ("", make_branch().pk):
        day = {"date": timezone.now().date(), "branch": branch}
        assert client.post("/admin/circulation/closedday/add/", day).status_code == 302


def test_letters_are_exported_and_marked_as_printed():
    borrower = make_borrower(name="=Bob", address="1 Mill Lane", card_number="P-1")
    loan = make_loan(borrower=borrower)
    Notice.objects.create(
        loan=loan,
        kind="overdue_1",
        occasion=loan.due_at,
        state="to_print",
        message_id="<a@b>",
        claimed_at=NOW,
        problem="550",
    )
    client = desk(make_librarian())
    page = "/admin/circulation/notice/"
    assert f'href="{page}letters/"' in client.get(page).content.decode()
    text = client.get(f"{page}letters/").content.decode("utf-8-sig")
    assert text.splitlines()[1].startswith("P-1,'=Bob,1 Mill Lane,Library: overdue,")
    entry = AuditEntry.objects.latest("pk")
    notice = Notice.objects.get()
    assert (entry.action, entry.record_keys) == ("exported", [str(notice.pk)])
    client.post(page, {"action": "printed", "_selected_action": [notice.pk]})
    notice.refresh_from_db()
    assert notice.state == "printed"
    assert len(client.get(f"{page}letters/").content.decode().splitlines()) == 1
