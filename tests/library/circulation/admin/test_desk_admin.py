import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone, translation
from django.utils.html import strip_tags

from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, LoanEvent
from library.circulation.selectors.fines import owed_for
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.holds import place_hold
from tests.factories import (
    NOW,
    make_book,
    make_borrower,
    make_borrower_category,
    make_branch,
    make_copy,
    make_item_type,
    make_policy,
)
from tests.logins import desk, make_librarian

pytestmark = pytest.mark.django_db

COPIES = "/admin/catalogue/copy/"
HOLDS = "/admin/circulation/hold/"
FINES = "/admin/circulation/fineentry/"
POLICY_TEST = "/admin/circulation/loanpolicy/test/"


@pytest.fixture
def client():
    return desk(make_librarian())


def messages(response):
    return [str(message) for message in response.context["messages"]]


def perform(client, url, action, *rows):
    form_data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(url, form_data, follow=True)


def loan_with_fine():
    """A returned loan with a balance of 3.00."""
    make_policy(loan_days=1, fine_per_day=1, fine_cap=5)
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW + timedelta(days=4))
    return loan


def test_policy_test_page_explains_the_policy(client):
    branch, films, staff = make_branch(), make_item_type(name="Film"), make_borrower_category(name="Staff")
    make_policy(item_type=films, loan_days=7)
    make_policy(borrower_category=staff, loan_days=60)
    copy, borrower = make_copy(item_type=films), make_borrower(category=staff)
    query = {"card_number": f" {borrower.card_number}", "barcode": copy.barcode, "branch": branch.pk}
    response = client.get(POLICY_TEST, query)
    match = response.context["match"]
    assert [policy.loan_days for policy in match.candidates] == [7, 60, 28]
    page = response.content.decode()
    assert "item type takes precedence over borrower category" in page
    assert (
        "Loan period 7 days, loan limit 20, renewal limit 2, hold limit 10; daily fine 0.00 "
        "after a grace period of 0 days, maximum fine 0.00"
    ) in page


def test_policy_test_page_rejects_unknown_card_and_barcode(client):
    response = client.get(POLICY_TEST, {"card_number": "nobody", "barcode": "nothing"})
    assert response.context["form"].errors == {
        "card_number": ["No borrower has the card number nobody."],
        "barcode": ["No copy has the barcode nothing."],
    }


def test_policy_test_page_reports_a_missing_policy(client):
    make_policy().delete()
    query = {"card_number": make_borrower().card_number, "barcode": make_copy().barcode}
    response = client.get(POLICY_TEST, query)
    assert "No loan policy matches" in response.content.decode()


def test_policy_test_page_needs_permission_to_view_borrowers():
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_loanpolicy"))
    assert desk(user).get(POLICY_TEST).status_code == 403


def test_policy_list_links_the_test_page(client):
    assert f'href="{POLICY_TEST}"' in client.get("/admin/circulation/loanpolicy/").content.decode()


def test_duplicate_policy_is_refused(client):
    make_policy()
    terms = ("loan_days", "max_loans", "renewals_allowed", "renewal_days", "holds_allowed", "grace_days")
    form = dict.fromkeys((*terms, "fine_per_day", "fine_cap"), 1)
    response = client.post("/admin/circulation/loanpolicy/add/", form)
    assert (
        "A loan policy for this branch, borrower category and item type already exists"
        in response.content.decode()
    )


def test_copy_actions_change_the_status(client):
    copy = make_copy()
    for action, status in (
        ("mark_lost", "lost"),
        ("mark_found", "available"),
        ("withdraw", "withdrawn"),
        ("reinstate", "available"),
    ):
        assert messages(perform(client, COPIES, action, copy)) == ["Records updated: 1."]
        assert Copy.objects.get().status == status
    refused = perform(client, COPIES, "reinstate", copy)
    assert messages(refused) == [f"{copy}: Copy {copy} is not withdrawn."]


def test_copy_status_is_not_editable(client):
    copy = make_copy()
    form = {"barcode": "K-new", "book": copy.book_id, "status": "lost"}
    client.post(f"{COPIES}{copy.pk}/change/", form)
    copy.refresh_from_db()
    assert (copy.barcode, copy.status) == ("K-new", "available")


def test_hold_is_placed_on_the_add_page(client):
    copy, borrower = make_copy(), make_borrower()
    response = client.post(f"{HOLDS}add/", {"book": copy.book_id, "borrower": borrower.pk})
    assert response.status_code == 302
    hold = Hold.objects.get()
    assert (hold.book, hold.borrower, hold.position, hold.status) == (copy.book, borrower, 1, "waiting")
    assert [event.kind for event in LoanEvent.objects.all()] == ["hold_placed"]
    assert client.get(f"{HOLDS}{hold.pk}/change/").status_code == 200


def test_refused_hold_shows_a_form_error(client):
    copy, borrower = make_copy(), make_borrower(blocked="moved away")
    response = client.post(f"{HOLDS}add/", {"book": copy.book_id, "borrower": borrower.pk})
    assert response.context["adminform"].form.non_field_errors() == ["The borrower is blocked: moved away"]
    assert not Hold.objects.exists()
    assert not LoanEvent.objects.exists()


def test_hold_actions_change_the_status(client):
    hold = place_hold(book=make_copy().book, borrower=make_borrower(), pickup_branch=None, now=timezone.now())
    for action, status in (("suspend", "suspended"), ("resume", "waiting"), ("cancel", "cancelled")):
        assert messages(perform(client, HOLDS, action, hold)) == ["Records updated: 1."]
        assert Hold.objects.get().status == status
    assert messages(perform(client, HOLDS, "cancel", hold)) == [f"{hold}: The hold has already ended."]


def test_uncollected_hold_is_expired_by_action(client):
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    hold = place_hold(book=loan.copy.book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW)
    assert messages(perform(client, HOLDS, "expire", hold)) == ["Records updated: 1."]
    assert Hold.objects.get().status == "expired"


def test_part_payment_and_waiver_settle_a_fine(client):
    loan = loan_with_fine()
    page = f"{FINES}payment/{loan.pk}/"
    assert f'href="{page}"' in client.get(FINES).content.decode()
    assert "owes 3.00 for" in client.get(page).content.decode()
    assert client.post(page, {"kind": "payment", "amount": "1.00"}).status_code == 302
    response = client.post(page, {"kind": "waiver", "amount": "2.00"})
    assert response.context["form"].non_field_errors() == ["Enter a reason for the waiver."]
    client.post(page, {"kind": "waiver", "amount": "2.00", "reason": "was ill"})
    assert owed_for(loan=loan) == 0
    assert list(FineEntry.objects.order_by("id").values_list("kind", "amount", "reason")) == [
        ("charge", Decimal("3.00"), ""),
        ("payment", Decimal("1.00"), ""),
        ("waiver", Decimal("2.00"), "was ill"),
    ]


def test_ledger_is_read_only(client):
    loan_with_fine()
    entry = FineEntry.objects.get()
    for url in (f"{FINES}add/", f"{FINES}{entry.pk}/delete/"):
        assert client.post(url, {"post": "yes"}).status_code == 403
    client.post(f"{FINES}{entry.pk}/change/", {"amount": "0.01"})
    entry.refresh_from_db()
    assert entry.amount == 3


def test_payment_page_needs_add_permission():
    loan = loan_with_fine()
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_fineentry"))
    assert desk(user).get(f"{FINES}payment/{loan.pk}/").status_code == 403


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_hold_statuses_are_translated(client, language):
    for position, status in enumerate(Hold.Status.values, start=1):
        ready = {"copy": make_copy(), "ready_at": NOW} if status == "ready" else {}
        Hold.objects.create(
            book=make_book(),
            borrower=make_borrower(),
            position=position,
            placed_at=NOW,
            status=status,
            **ready,
        )
    page = client.get(HOLDS, headers={"accept-language": language}).content.decode()
    cells = re.findall(r'<td class="field-state.*?</td>', page, re.DOTALL)
    shown = [" ".join(strip_tags(cell).split()) for cell in cells]
    with translation.override(language):
        assert sorted(shown) == sorted(map(str, Hold.Status.labels))
