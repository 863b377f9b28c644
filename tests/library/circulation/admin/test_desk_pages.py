"""The two desk pages: check-out and check-in."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from library.admin_site.roles import CIRCULATION
from library.circulation.models import FineEntry, Hold, Loan
from library.circulation.selectors.fines import owed_for
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from library.circulation.services.lost import mark_lost
from library.people.models import AuditEntry
from tests.factories import make_book, make_borrower, make_branch, make_copy, make_loan, make_policy
from tests.logins import desk, make_user

pytestmark = pytest.mark.django_db

CHECKOUT = "/admin/circulation/loan/checkout/"
CHECKIN = "/admin/circulation/loan/checkin/"


@pytest.fixture
def client():
    return desk(make_user(CIRCULATION))


@pytest.fixture
def anna():
    return make_borrower(card_number="P-77", name="Anna Chen", phone="555 0100")


def shown_messages(response):
    return [str(message) for message in response.context["messages"]]


def scan(client, url, code, **extra):
    return client.post(url, {"action": "scan", "scan": code} | extra, follow=True)


def account_url(borrower):
    return f"{CHECKOUT}{borrower.pk}/"


def make_title(**fields):
    return make_copy(barcode="K-1", book=make_book(title="Optics"), **fields)


def lend(copy, borrower=None, days_ago=0):
    now = timezone.now() - timedelta(days=days_ago)
    return checkout(copy=copy, borrower=borrower or make_borrower(), branch=None, now=now)


@pytest.mark.parametrize("code", ["P-77", " P-77 ", "5550100", "chen anna"])
def test_card_phone_or_name_opens_the_account(client, anna, code):
    response = scan(client, CHECKOUT, code)
    assert response.redirect_chain == [(account_url(anna), 302)]
    assert "Anna Chen" in response.content.decode()


def test_unknown_card_and_ambiguous_name_show_messages(client, anna):
    assert shown_messages(scan(client, CHECKOUT, "P-78")) == ["No borrower has the card number P-78."]
    make_borrower(name="Bob Chen")
    (text,) = shown_messages(scan(client, CHECKOUT, "Chen"))
    assert text.startswith("Several borrowers match")
    assert shown_messages(scan(client, CHECKOUT, "")) == []


def test_scanned_copy_is_checked_out(client, anna):
    make_policy()
    copy = make_title()
    response = scan(client, account_url(anna), "K-1")
    loan = Loan.objects.get()
    assert (loan.copy, loan.borrower) == (copy, anna)
    (text,) = shown_messages(response)
    assert text.startswith("Due ")
    assert text.endswith(": Optics (K-1).")
    assert "autofocus" in response.content.decode()
    assert "On loan: 1" in response.content.decode()


def test_refusal_shows_all_reasons_with_advice(client, anna):
    make_policy(max_loans=0)
    anna.blocked = "moved away"
    anna.save()
    make_title(status="withdrawn")
    assert shown_messages(scan(client, account_url(anna), "K-1")) == [
        (
            "The borrower is blocked: moved away → Resolve the reason, then remove the block on "
            "the borrower page."
        ),
        ("Loan limit reached (0 of 0). → Check something in first, or change the loan policy."),
        ("Copy K-1 has been withdrawn. → Set the copy aside. It can be reinstated on the Copies page."),
    ]
    assert not Loan.objects.exists()


def test_missing_policy_shows_a_message(client, anna):
    make_policy().delete()
    make_title()
    (text,) = shown_messages(scan(client, account_url(anna), "K-1"))
    assert text.startswith("No loan policy matches")


def test_next_card_opens_the_next_account(client, anna):
    other = make_borrower(card_number="P-78")
    assert scan(client, account_url(anna), "P-78").redirect_chain == [(account_url(other), 302)]
    response = scan(client, account_url(anna), "nothing")
    assert shown_messages(response) == ["No copy or borrower found for nothing."]


def test_account_page_shows_blocks_loans_fines_and_ready_holds(client, anna):
    make_policy(loan_days=1, fine_per_day=6, fine_cap=12)
    overdue = lend(make_title(), anna, days_ago=9)
    overdue_returned = lend(make_copy(book=make_book(title="Tea")), anna, days_ago=9)
    checkin(copy=overdue_returned.copy, branch=None, now=timezone.now())
    held = lend(make_copy(book=make_book(title="On hold")))
    place_hold(book=held.copy.book, borrower=make_borrower(), pickup_branch=None, now=timezone.now())
    Hold.objects.update(borrower=anna)
    checkin(copy=held.copy, branch=None, now=timezone.now())
    response = client.get(account_url(anna))
    assert [loan for loan, _due, _days in response.context["loans"]] == [overdue]
    assert [(loan, owed) for loan, owed in response.context["balances"]] == [(overdue_returned, Decimal(12))]
    assert [hold.book.title for hold, _until in response.context["ready"]] == ["On hold"]
    page = response.content.decode()
    assert "The borrower owes 12.00, which exceeds the limit of 10" in page
    assert ">8<" in page.replace(" ", "")


def test_renew_button_renews_until_the_limit(client, anna):
    make_policy(renewals_allowed=1)
    loan = lend(make_title(), anna)
    button = {"action": "renew", "loan": loan.pk}
    (text,) = shown_messages(client.post(account_url(anna), button, follow=True))
    assert text.startswith("Renewed, now due ")
    assert shown_messages(client.post(account_url(anna), button, follow=True)) == [
        "Renewal limit reached (1 of 1). → The copy must be returned."
    ]


def owing(anna):
    make_policy(loan_days=1, fine_per_day=1, fine_cap=3)
    loan = lend(make_title(), anna, days_ago=9)
    checkin(copy=loan.copy, branch=None, now=timezone.now())
    return loan


def test_pay_button_pays_once(client, anna):
    loan = owing(anna)
    button = {"action": "pay", "loan": loan.pk, "amount": "3.00"}
    assert 'name="amount" value="3.00"' in client.get(account_url(anna)).content.decode()
    assert shown_messages(client.post(account_url(anna), button, follow=True)) == [
        "Payment recorded: 3.00 for Optics."
    ]
    assert owed_for(loan=loan) == 0
    (text,) = shown_messages(client.post(account_url(anna), button, follow=True))
    assert text == "3.00 exceeds the 0.00 owed for this loan. → Check the amount owed now."
    assert FineEntry.objects.filter(kind="payment").count() == 1


@pytest.mark.parametrize(("field", "value"), [("loan", "none"), ("loan", ""), ("loan", "999")])
def test_unknown_loan_is_404(client, anna, field, value):
    button = {"action": "pay", "loan": owing(anna).pk, "amount": "1"} | {field: value}
    assert client.post(account_url(anna), button).status_code == 404


def test_invalid_amount_shows_a_message(client, anna):
    button = {"action": "pay", "loan": owing(anna).pk, "amount": "much"}
    assert shown_messages(client.post(account_url(anna), button, follow=True)) == ["Enter a number."]


def test_payment_needs_permission(anna):
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_loan", "view_borrower"]))
    client = desk(user)
    loan = owing(anna)
    assert 'value="pay"' not in client.get(account_url(anna)).content.decode()
    assert (
        client.post(account_url(anna), {"action": "pay", "loan": loan.pk, "amount": "1"}).status_code == 403
    )
    assert AuditEntry.objects.latest("pk").action == "refused"


def test_checkin_shows_title_and_fine(client, anna):
    make_policy(loan_days=1, fine_per_day=1, fine_cap=3)
    loan = lend(make_title(), anna, days_ago=9)
    response = scan(client, CHECKIN, "K-1")
    assert shown_messages(response) == ["Checked in: Optics (K-1).", "Fine charged: 3.00.", "Reshelve."]
    button = {"action": "pay", "loan": loan.pk, "amount": response.context["owed"]}
    paid = client.post(CHECKIN, button, follow=True)
    assert shown_messages(paid) == ["Payment recorded: 3.00 for Optics."]
    assert 'value="pay"' not in paid.content.decode()


def test_checkin_sends_held_copy_to_the_hold_shelf(client, anna):
    make_policy()
    loan = lend(make_title())
    place_hold(book=loan.copy.book, borrower=anna, pickup_branch=None, now=timezone.now())
    assert shown_messages(scan(client, CHECKIN, "K-1")) == [
        "Checked in: Optics (K-1).",
        "Hold for P-77: put it on the hold shelf.",
    ]


def test_desk_branch_is_stored_and_routes_copies(client, anna):
    north, south = make_branch(name="North"), make_branch(name="South")
    copy = make_title(branch=south)
    assert "Set the branch of this desk" in client.get(CHECKIN).content.decode()
    client.post(CHECKIN, {"action": "branch", "branch": north.code})
    page = client.get(CHECKOUT).content.decode()
    assert "Set the branch of this desk" not in page
    assert f'value="{north.code}" selected' in page
    assert shown_messages(scan(client, CHECKIN, "K-1")) == [
        "Not checked out: Optics (K-1).",
        "Send it to its home branch, South.",
    ]
    hold = Hold.objects.create(
        book=copy.book, borrower=anna, position=1, placed_at=timezone.now(), pickup_branch=south
    )
    assert shown_messages(scan(client, CHECKIN, "K-1"))[1] == "Hold for P-77: send it to South."
    hold.delete()
    make_policy()
    scan(client, account_url(anna), "K-1")
    client.post(CHECKIN, {"action": "branch", "branch": ""})
    assert "Set the branch of this desk" in client.get(CHECKIN).content.decode()
    assert client.post(CHECKIN, {"action": "branch", "branch": "nowhere"}).status_code == 404


def test_checkin_finds_lost_copy(client, anna):
    make_policy()
    copy = make_title()
    mark_lost(copy=copy, now=timezone.now())
    assert shown_messages(scan(client, CHECKIN, "K-1")) == [
        "Lost copy found: Optics (K-1).",
        "Reshelve.",
    ]


def test_unknown_barcode_and_withdrawn_copy_show_messages(client):
    assert shown_messages(scan(client, CHECKIN, "K-0")) == ["No copy has the barcode K-0."]
    make_title(status="withdrawn")
    (text,) = shown_messages(scan(client, CHECKIN, "K-1"))
    assert text.startswith("Copy K-1 has been withdrawn. Reinstate it first.")
    assert shown_messages(scan(client, CHECKIN, "")) == []


def test_views_and_changes_are_audited(client, anna):
    make_policy()
    make_title()
    scan(client, CHECKOUT, "P-77")
    scan(client, account_url(anna), "K-1")
    loan = Loan.objects.get()
    entries = [
        (entry.action, entry.object_type, entry.object_key, " ".join(entry.record_keys))
        for entry in AuditEntry.objects.order_by("pk")
    ]
    assert entries == [
        ("searched", "people.borrower", "", str(anna.pk)),
        ("viewed", "people.borrower", str(anna.pk), ""),
        ("changed", "circulation.loan", str(loan.pk), ""),
        ("viewed", "people.borrower", str(anna.pk), ""),
    ]


def test_sidebar_links_both_pages(client):
    page = client.get("/admin/").content.decode()
    assert f'href="{CHECKOUT}"' in page
    assert f'href="{CHECKIN}"' in page


@pytest.mark.parametrize("rows", [2, 30])
def test_account_page_has_constant_query_count(client, anna, rows, django_assert_num_queries):
    branch = make_branch()
    for _ in range(rows):
        loan = make_loan(borrower=anna)
        FineEntry.objects.create(loan=loan, borrower=anna, kind="charge", amount=1, created_at=timezone.now())
        Hold.objects.create(
            book=make_book(),
            borrower=anna,
            pickup_branch=branch,
            position=1,
            placed_at=timezone.now(),
            ready_at=timezone.now(),
            status="ready",
            copy=make_copy(),
        )
    # Session and user, permissions (of the user and the group), borrower, balance, branches, loans, fines,
    # holds, audit entry.
    with django_assert_num_queries(11):
        response = client.get(account_url(anna))
    assert len(response.context["loans"]) == len(response.context["balances"]) == rows
