"""The two pages of the desk: scan, and be told."""

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
from tests.factories import (
    make_book,
    make_borrower,
    make_branch,
    make_copy,
    make_loan,
    make_policy,
)
from tests.logins import desk, make_user

pytestmark = pytest.mark.django_db

OUT = "/admin/circulation/loan/checkout/"
IN = "/admin/circulation/loan/checkin/"


@pytest.fixture
def client():
    return desk(make_user(CIRCULATION))


@pytest.fixture
def anna():
    return make_borrower(card_number="P-77", name="Anna Chen", phone="555 0100")


def told(answer):
    return [str(message) for message in answer.context["messages"]]


def scan(client, address, code, **more):
    return client.post(address, {"action": "scan", "scan": code} | more, follow=True)


def page_of(borrower):
    return f"{OUT}{borrower.pk}/"


def title(**fields):
    return make_copy(barcode="K-1", book=make_book(title="Optics"), **fields)


def lend(copy, borrower=None, days_ago=0):
    now = timezone.now() - timedelta(days=days_ago)
    return checkout(copy=copy, borrower=borrower or make_borrower(), branch=None, now=now)


@pytest.mark.parametrize("code", ["P-77", " P-77 ", "5550100", "chen anna"])
def test_the_card_or_what_else_is_known_opens_the_borrowers_page(client, anna, code):
    answer = scan(client, OUT, code)
    assert answer.redirect_chain == [(page_of(anna), 302)]
    assert "Anna Chen" in answer.content.decode()


def test_a_card_that_nobody_has_and_a_name_that_several_have_are_told(client, anna):
    assert told(scan(client, OUT, "P-78")) == ["No borrower has the card P-78."]
    make_borrower(name="Bob Chen")
    (several,) = told(scan(client, OUT, "Chen"))
    assert several.startswith("Several borrowers match")
    assert told(scan(client, OUT, "")) == []


def test_a_barcode_is_lent_and_the_field_is_ready_for_the_next(client, anna):
    make_policy()
    copy = title()
    answer = scan(client, page_of(anna), "K-1")
    loan = Loan.objects.get()
    assert (loan.copy, loan.borrower) == (copy, anna)
    (text,) = told(answer)
    assert text.startswith("Lent until ")
    assert text.endswith(": Optics (K-1).")
    assert "autofocus" in answer.content.decode()
    assert "1 on loan" in answer.content.decode()


def test_a_refusal_is_told_with_every_reason_and_what_to_do(client, anna):
    make_policy(max_loans=0)
    anna.blocked = "moved away"
    anna.save()
    title(status="withdrawn")
    assert told(scan(client, page_of(anna), "K-1")) == [
        "The borrower is blocked: moved away → Clear up why; the block is lifted on the borrower's page.",
        "The borrower has 0 on loan; the rule allows 0. → Take something back first, or change the rule.",
        "The copy K-1 is withdrawn. → Put it aside; it is reinstated on the page of the copies.",
    ]
    assert not Loan.objects.exists()


def test_without_a_rule_the_desk_says_so(client, anna):
    make_policy().delete()
    title()
    (text,) = told(scan(client, page_of(anna), "K-1"))
    assert text.startswith("No loan policy fits")


def test_the_next_borrowers_card_ends_this_ones_turn(client, anna):
    other = make_borrower(card_number="P-78")
    assert scan(client, page_of(anna), "P-78").redirect_chain == [(page_of(other), 302)]
    answer = scan(client, page_of(anna), "nothing")
    assert told(answer) == ["No copy has the barcode nothing, and no borrower the card."]


def test_the_page_shows_blocks_loans_fines_and_holds_ready(client, anna):
    make_policy(loan_days=1, fine_per_day=6, fine_cap=12)
    late = lend(title(), anna, days_ago=9)
    late_back = lend(make_copy(book=make_book(title="Tea")), anna, days_ago=9)
    checkin(copy=late_back.copy, branch=None, now=timezone.now())
    waited = lend(make_copy(book=make_book(title="Waited for")))
    place_hold(book=waited.copy.book, borrower=make_borrower(), pickup_branch=None, now=timezone.now())
    Hold.objects.update(borrower=anna)
    checkin(copy=waited.copy, branch=None, now=timezone.now())
    answer = client.get(page_of(anna))
    assert [loan for loan, _due, _late in answer.context["loans"]] == [late]
    assert [(loan, owed) for loan, owed in answer.context["owed"]] == [(late_back, Decimal(12))]
    assert [hold.book.title for hold, _until in answer.context["ready"]] == ["Waited for"]
    page = answer.content.decode()
    assert "The borrower owes 12.00, more than 10" in page
    assert ">8<" in page.replace(" ", "")


def test_a_loan_is_renewed_by_its_button_and_a_refusal_told(client, anna):
    make_policy(renewals_allowed=1)
    loan = lend(title(), anna)
    button = {"action": "renew", "loan": loan.pk}
    (text,) = told(client.post(page_of(anna), button, follow=True))
    assert text.startswith("Renewed until")
    assert told(client.post(page_of(anna), button, follow=True)) == [
        "The loan was renewed 1 times; the rule allows 1. → It has to come back."
    ]


def owing(anna):
    make_policy(loan_days=1, fine_per_day=1, fine_cap=3)
    loan = lend(title(), anna, days_ago=9)
    checkin(copy=loan.copy, branch=None, now=timezone.now())
    return loan


def test_a_fine_is_paid_by_its_button_once(client, anna):
    loan = owing(anna)
    button = {"action": "pay", "loan": loan.pk, "amount": "3.00"}
    assert 'name="amount" value="3.00"' in client.get(page_of(anna)).content.decode()
    assert told(client.post(page_of(anna), button, follow=True)) == ["Paid: 3.00 for Optics."]
    assert owed_for(loan=loan) == 0
    (text,) = told(client.post(page_of(anna), button, follow=True))
    assert text == "3.00 is more than the 0.00 that are owed for this loan. → Look at what is owed now."
    assert FineEntry.objects.filter(kind="payment").count() == 1


@pytest.mark.parametrize(("field", "value"), [("loan", "none"), ("loan", ""), ("loan", "999")])
def test_a_button_for_a_loan_that_is_not_there_finds_nothing(client, anna, field, value):
    button = {"action": "pay", "loan": owing(anna).pk, "amount": "1"} | {field: value}
    assert client.post(page_of(anna), button).status_code == 404


def test_an_amount_that_is_none_is_told(client, anna):
    button = {"action": "pay", "loan": owing(anna).pk, "amount": "much"}
    assert told(client.post(page_of(anna), button, follow=True)) == ["Enter a number."]


def test_who_takes_no_fines_sees_no_button_and_pays_none(anna):
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_loan", "view_borrower"]))
    client = desk(user)
    loan = owing(anna)
    assert 'value="pay"' not in client.get(page_of(anna)).content.decode()
    assert client.post(page_of(anna), {"action": "pay", "loan": loan.pk, "amount": "1"}).status_code == 403
    assert AuditEntry.objects.latest("pk").action == "refused"


def test_a_return_says_that_it_is_back_and_what_it_costs(client, anna):
    make_policy(loan_days=1, fine_per_day=1, fine_cap=3)
    loan = lend(title(), anna, days_ago=9)
    answer = scan(client, IN, "K-1")
    assert told(answer) == ["Returned: Optics (K-1).", "Fine charged: 3.00.", "Back on the shelf."]
    button = {"action": "pay", "loan": loan.pk, "amount": answer.context["owed"]}
    paid = client.post(IN, button, follow=True)
    assert told(paid) == ["Paid: 3.00 for Optics."]
    assert 'value="pay"' not in paid.content.decode()


def test_a_return_goes_to_the_hold_shelf_for_the_next(client, anna):
    make_policy()
    loan = lend(title())
    place_hold(book=loan.copy.book, borrower=anna, pickup_branch=None, now=timezone.now())
    assert told(scan(client, IN, "K-1")) == [
        "Returned: Optics (K-1).",
        "To the hold shelf, for the borrower with the card P-77.",
    ]


def test_the_desks_branch_is_remembered_and_copies_are_sent_by_it(client, anna):
    north, south = make_branch(name="North"), make_branch(name="South")
    copy = title(branch=south)
    assert "Say where this desk is" in client.get(IN).content.decode()
    client.post(IN, {"action": "branch", "branch": north.code})
    page = client.get(OUT).content.decode()
    assert "Say where this desk is" not in page
    assert f'value="{north.code}" selected' in page
    assert told(scan(client, IN, "K-1")) == [
        "It was not on loan: Optics (K-1).",
        "Send to South, where it belongs.",
    ]
    hold = Hold.objects.create(
        book=copy.book, borrower=anna, position=1, placed_at=timezone.now(), pickup_branch=south
    )
    assert told(scan(client, IN, "K-1"))[1] == "Send to South, for the borrower with the card P-77."
    hold.delete()
    make_policy()
    scan(client, page_of(anna), "K-1")
    client.post(IN, {"action": "branch", "branch": ""})
    assert "Say where this desk is" in client.get(IN).content.decode()
    assert client.post(IN, {"action": "branch", "branch": "nowhere"}).status_code == 404


def test_what_was_lost_is_found(client, anna):
    make_policy()
    copy = title()
    mark_lost(copy=copy, now=timezone.now())
    assert told(scan(client, IN, "K-1")) == [
        "It was lost and is found: Optics (K-1).",
        "Back on the shelf.",
    ]


def test_a_barcode_that_nothing_has_and_a_withdrawn_copy_are_told(client):
    assert told(scan(client, IN, "K-0")) == ["No copy has the barcode K-0."]
    title(status="withdrawn")
    (text,) = told(scan(client, IN, "K-1"))
    assert text.startswith("The copy K-1 is withdrawn: reinstate it first.")
    assert told(scan(client, IN, "")) == []


def test_looks_and_changes_are_written_down(client, anna):
    make_policy()
    title()
    scan(client, OUT, "P-77")
    scan(client, page_of(anna), "K-1")
    loan = Loan.objects.get()
    written = AuditEntry.objects.order_by("pk").values_list("action", "object_type", "object_key", "listed")
    assert list(written) == [
        ("searched", "people.borrower", "", f" {anna.pk} "),
        ("viewed", "people.borrower", str(anna.pk), ""),
        ("changed", "circulation.loan", str(loan.pk), ""),
        ("viewed", "people.borrower", str(anna.pk), ""),
    ]


def test_the_sidebar_leads_to_both_pages(client):
    page = client.get("/admin/").content.decode()
    assert f'href="{OUT}"' in page
    assert f'href="{IN}"' in page


@pytest.mark.parametrize("rows", [2, 30])
def test_a_borrowers_page_takes_the_same_queries_however_much_there_is(
    client, anna, rows, django_assert_num_queries
):
    branch = make_branch()
    for _ in range(rows):
        loan = make_loan(borrower=anna)
        FineEntry.objects.create(loan=loan, borrower=anna, kind="charge", amount=1, at=timezone.now())
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
    # Session and user, permissions (own and the group's), borrower, what is owed, branches, loans, fines,
    # holds, the entry.
    with django_assert_num_queries(11):
        answer = client.get(page_of(anna))
    assert len(answer.context["loans"]) == len(answer.context["owed"]) == rows
