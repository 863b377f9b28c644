"""Fines, rules, closed days and notices in the API, and what they name: branches, item types, categories."""

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
from tests.logins import api, desk, make_librarian, make_reader, make_user
from tests.problems import faults

pytestmark = pytest.mark.django_db

FINES = "/api/v1/fines/"
RULES = "/api/v1/loan-policies/"
DAYS = "/api/v1/closed-days/"
NAMED = ["/api/v1/branches/", "/api/v1/item-types/", "/api/v1/borrower-categories/"]


@pytest.fixture
def client():
    return api(make_user(CIRCULATION))


@pytest.fixture
def admin():
    return api(make_user(ADMINISTRATORS))


def post(client, address, **data):
    answer = client.post(address, data, format="json")
    return answer.status_code, answer.json()


def late_loan():
    """A returned loan for which 3.00 are owed."""
    make_policy(loan_days=1, fine_per_day=1, fine_cap=5)
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW + timedelta(days=4))
    return loan


def test_a_fine_is_paid_in_part_and_the_rest_waived(client):
    loan = late_loan()
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


def test_a_refusal_is_a_conflict_with_all_codes(client):
    loan = late_loan()
    code, problem = post(client, f"{FINES}waive/", loan=loan.pk, amount="4.00", reason=" ")
    assert (code, problem["code"]) == (409, "circulation_refused")
    reasons = problem["extra"]["reasons"]
    assert [reason["code"] for reason in reasons] == ["more_than_owed", "reason_missing"]
    code, problem = post(client, f"{FINES}pay/", loan=loan.pk, amount="0.00")
    assert [reason["code"] for reason in problem["extra"]["reasons"]] == ["amount_not_positive"]
    assert FineEntry.objects.count() == 1


@pytest.mark.parametrize("name", ["borrower", "card_number", "loan", "kind"])
def test_the_ledger_is_filtered_by(client, name):
    loan = late_loan()
    other = make_loan()
    FineEntry.objects.create(loan=other, borrower=other.borrower, kind="payment", amount=1, at=NOW)
    value = {
        "borrower": loan.borrower_id,
        "card_number": loan.borrower.card_number,
        "loan": loan.pk,
        "kind": "charge",
    }[name]
    assert [row["loan"] for row in client.get(f"{FINES}?{name}={value}").json()["results"]] == [loan.pk]


@pytest.mark.parametrize("rows", [2, 30])
def test_a_payment_takes_the_same_queries_however_long_the_ledger_is(client, rows, django_assert_num_queries):
    loan = late_loan()
    client.get(FINES)  # asks for the permissions, once for a user
    for _ in range(rows):
        FineEntry.objects.create(loan=loan, borrower=loan.borrower, kind="charge", amount=1, at=NOW)
    # Loan; the savepoint of the view and of the service, four together; borrower, what is owed, the line,
    # whom and what it is of (two), the event; the audit's entry.
    with django_assert_num_queries(12):
        assert post(client, f"{FINES}pay/", loan=loan.pk, amount="1.00")[0] == 201


def test_rules_are_read_by_the_desk_and_written_by_administrators(client, admin):
    films = make_item_type()
    rule = {"item_type": films.pk, "loan_days": 7, "fine_per_day": "0.50"}
    assert post(client, RULES, **rule)[0] == 403
    code, row = post(admin, RULES, **rule)
    assert (code, row["branch"], row["loan_days"], row["fine_per_day"]) == (201, None, 7, "0.50")
    answer = admin.patch(f"{RULES}{row['id']}/", {"loan_days": 3}, format="json")
    assert (answer.status_code, LoanPolicy.objects.get(item_type=films).loan_days) == (200, 3)
    assert client.get(f"{RULES}?item_type={films.pk}").json()["results"][0]["loan_days"] == 3
    code, problem = post(admin, RULES, **rule)
    assert (code, faults(problem)) == (
        400,
        {"": ["There is a rule for this branch, borrower category and item type: change that one."]},
    )


def test_closed_days_are_read_by_the_desk_and_written_by_administrators(client, admin):
    branch = make_branch()
    assert post(client, DAYS, date="2024-12-25")[0] == 403
    assert post(admin, DAYS, date="2024-12-25")[0] == 201
    code, row = post(admin, DAYS, date="2024-12-25", branch=branch.pk)
    assert (code, row["branch_code"]) == (201, branch.code)
    again = post(admin, DAYS, date="2024-12-25", branch=branch.pk)[1]
    assert faults(again) == {"": ["This day is entered already."]}
    ClosedDay.objects.create(date="2024-12-31")
    rows = client.get(f"{DAYS}?date_before=2024-12-30").json()["results"]
    assert [row["branch"] for row in rows] == [None, branch.pk]


@pytest.mark.parametrize("address", NAMED)
def test_what_the_rules_name_is_read_by_the_desk_and_written_by_administrators(client, admin, address):
    record = {"code": "north", "name": "North"}
    assert post(client, address, **record)[0] == 403
    code, row = post(admin, address, **record)
    assert (code, row["code"], row["name"]) == (201, "north", "North")
    answer = admin.patch(f"{address}{row['id']}/", {"name": "South"}, format="json")
    assert answer.json()["name"] == "South"
    assert [each["name"] for each in client.get(f"{address}?code=north").json()["results"]] == ["South"]
    assert faults(post(admin, address, **record)[1]).keys() == {"/code"}


def test_notices_are_read_by_those_who_see_loans(client):
    loan = make_loan()
    told = {"occasion": loan.due_at, "message_id": "<a@b>", "claimed_at": NOW}
    Notice.objects.create(loan=loan, kind="due_soon", state="sent", sent_at=NOW, **told)
    Notice.objects.create(loan=loan, kind="overdue_1", **told)
    (row,) = client.get("/api/v1/notices/?state=sent").json()["results"]
    assert (row["kind"], row["loan"], row["card_number"]) == ("due_soon", loan.pk, loan.borrower.card_number)
    assert AuditEntry.objects.latest("pk").object_type == "circulation.notice"
    for other in (make_reader(), make_user(ANALYSTS)):
        assert api(other).get("/api/v1/notices/").status_code == 403


def test_the_admin_takes_several_rules_and_several_branches_closed_on_one_day():
    client = desk(make_librarian())
    terms = ("loan_days", "max_loans", "renewals_allowed", "renewal_days", "holds_allowed", "grace_days")
    form = dict.fromkeys((*terms, "fine_per_day", "fine_cap"), 1)
    for number in (2, 3):
        rule = form | {"branch": make_branch().pk}
        assert client.post("/admin/circulation/loanpolicy/add/", rule).status_code == 302
        assert LoanPolicy.objects.count() == number
    key = LoanPolicy.objects.latest("pk").pk
    changed = rule | {"loan_days": 9}
    assert client.post(f"/admin/circulation/loanpolicy/{key}/change/", changed).status_code == 302
    for branch in ("", make_branch().pk):
        day = {"date": timezone.now().date(), "branch": branch}
        assert client.post("/admin/circulation/closedday/add/", day).status_code == 302


def test_letters_to_print_are_saved_with_name_and_address_and_marked():
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
    assert (entry.action, entry.listed) == ("exported", f" {notice.pk} ")
    client.post(page, {"action": "printed", "_selected_action": [notice.pk]})
    notice.refresh_from_db()
    assert notice.state == "printed"
    assert len(client.get(f"{page}letters/").content.decode().splitlines()) == 1
