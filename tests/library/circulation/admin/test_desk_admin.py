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
WHICH = "/admin/circulation/loanpolicy/which/"


@pytest.fixture
def client():
    return desk(make_librarian())


def messages(answer):
    return [str(message) for message in answer.context["messages"]]


def act(client, address, action, *rows):
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(address, chosen, follow=True)


def late_loan():
    """A returned loan for which 3.00 are owed."""
    make_policy(loan_days=1, fine_per_day=1, fine_cap=5)
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW + timedelta(days=4))
    return loan


def test_the_page_says_which_rule_applies_and_why(client):
    branch, films, staff = make_branch(), make_item_type(name="Film"), make_borrower_category(name="Staff")
    make_policy(item_type=films, loan_days=7)
    make_policy(borrower_category=staff, loan_days=60)
    copy, borrower = make_copy(item_type=films), make_borrower(category=staff)
    query = {"card_number": f" {borrower.card_number}", "barcode": copy.barcode, "branch": branch.pk}
    answer = client.get(WHICH, query)
    match = answer.context["match"]
    assert [policy.loan_days for policy in match.candidates] == [7, 60, 28]
    page = answer.content.decode()
    assert "item type goes before borrower category" in page
    assert "7 days, 20 loans, 2 renewals, 10 holds; 0.00 a day after 0 days of grace, 0.00 at most" in page


def test_the_page_names_what_it_does_not_know(client):
    answer = client.get(WHICH, {"card_number": "nobody", "barcode": "nothing"})
    assert answer.context["form"].errors == {
        "card_number": ["No borrower has the card nobody."],
        "barcode": ["No copy has the barcode nothing."],
    }


def test_the_page_says_that_there_is_no_rule(client):
    make_policy().delete()
    query = {"card_number": make_borrower().card_number, "barcode": make_copy().barcode}
    answer = client.get(WHICH, query)
    assert "No loan policy fits" in answer.content.decode()


def test_who_may_not_see_borrowers_does_not_ask_for_their_rule():
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_loanpolicy"))
    assert desk(user).get(WHICH).status_code == 403


def test_the_list_of_rules_leads_to_the_page(client):
    assert f'href="{WHICH}"' in client.get("/admin/circulation/loanpolicy/").content.decode()


def test_a_rule_for_the_same_keys_is_refused(client):
    make_policy()
    terms = ("loan_days", "max_loans", "renewals_allowed", "renewal_days", "holds_allowed", "grace_days")
    form = dict.fromkeys((*terms, "fine_per_day", "fine_cap"), 1)
    answer = client.post("/admin/circulation/loanpolicy/add/", form)
    assert "There is a rule for this branch, borrower category and item type" in answer.content.decode()


def test_a_copy_is_marked_lost_found_withdrawn_and_reinstated(client):
    copy = make_copy()
    for action, status in (
        ("mark_lost", "lost"),
        ("mark_found", "available"),
        ("withdraw", "withdrawn"),
        ("reinstate", "available"),
    ):
        assert messages(act(client, COPIES, action, copy)) == ["Done for 1."]
        assert Copy.objects.get().status == status
    refused = act(client, COPIES, "reinstate", copy)
    assert messages(refused) == [f"{copy}: The copy {copy} is not withdrawn."]


def test_the_status_of_a_copy_is_not_written_by_hand(client):
    copy = make_copy()
    form = {"barcode": "K-new", "book": copy.book_id, "status": "lost"}
    client.post(f"{COPIES}{copy.pk}/change/", form)
    copy.refresh_from_db()
    assert (copy.barcode, copy.status) == ("K-new", "available")


def test_a_hold_is_placed_on_its_page(client):
    copy, borrower = make_copy(), make_borrower()
    answer = client.post(f"{HOLDS}add/", {"book": copy.book_id, "borrower": borrower.pk})
    assert answer.status_code == 302
    hold = Hold.objects.get()
    assert (hold.book, hold.borrower, hold.position, hold.status) == (copy.book, borrower, 1, "waiting")
    assert [event.kind for event in LoanEvent.objects.all()] == ["hold_placed"]
    assert client.get(f"{HOLDS}{hold.pk}/change/").status_code == 200


def test_a_refused_hold_is_told_beside_the_form(client):
    copy, borrower = make_copy(), make_borrower(blocked="moved away")
    answer = client.post(f"{HOLDS}add/", {"book": copy.book_id, "borrower": borrower.pk})
    assert answer.context["adminform"].form.non_field_errors() == ["The borrower is blocked: moved away"]
    assert not Hold.objects.exists()
    assert not LoanEvent.objects.exists()


def test_holds_are_suspended_resumed_and_cancelled(client):
    hold = place_hold(book=make_copy().book, borrower=make_borrower(), pickup_branch=None, now=timezone.now())
    for action, status in (("suspend", "suspended"), ("resume", "waiting"), ("cancel", "cancelled")):
        assert messages(act(client, HOLDS, action, hold)) == ["Done for 1."]
        assert Hold.objects.get().status == status
    assert messages(act(client, HOLDS, "cancel", hold)) == [f"{hold}: The hold has ended already."]


def test_a_hold_not_fetched_in_time_is_ended(client):
    loan = checkout(copy=make_copy(), borrower=make_borrower(), branch=None, now=NOW)
    hold = place_hold(book=loan.copy.book, borrower=make_borrower(), pickup_branch=None, now=NOW)
    checkin(copy=loan.copy, branch=None, now=NOW)
    assert messages(act(client, HOLDS, "expire", hold)) == ["Done for 1."]
    assert Hold.objects.get().status == "expired"


def test_a_fine_is_paid_in_part_and_the_rest_waived(client):
    loan = late_loan()
    page = f"{FINES}settle/{loan.pk}/"
    assert f'href="{page}"' in client.get(FINES).content.decode()
    assert "owes 3.00 for" in client.get(page).content.decode()
    assert client.post(page, {"kind": "payment", "amount": "1.00"}).status_code == 302
    answer = client.post(page, {"kind": "waiver", "amount": "2.00"})
    assert answer.context["form"].non_field_errors() == ["Say why the fine is waived."]
    client.post(page, {"kind": "waiver", "amount": "2.00", "reason": "was ill"})
    assert owed_for(loan=loan) == 0
    assert list(FineEntry.objects.order_by("id").values_list("kind", "amount", "reason")) == [
        ("charge", Decimal("3.00"), ""),
        ("payment", Decimal("1.00"), ""),
        ("waiver", Decimal("2.00"), "was ill"),
    ]


def test_the_ledger_is_read_only(client):
    late_loan()
    entry = FineEntry.objects.get()
    for address in (f"{FINES}add/", f"{FINES}{entry.pk}/delete/"):
        assert client.post(address, {"post": "yes"}).status_code == 403
    client.post(f"{FINES}{entry.pk}/change/", {"amount": "0.01"})
    entry.refresh_from_db()
    assert entry.amount == 3


def test_who_may_only_look_settles_no_fine():
    loan = late_loan()
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_fineentry"))
    assert desk(user).get(f"{FINES}settle/{loan.pk}/").status_code == 403


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_list_of_holds_says_each_status_in_the_language_of_the_reader(client, language):
    for position, status in enumerate(Hold.Status.values, start=1):
        given = {"copy": make_copy(), "ready_at": NOW} if status == "ready" else {}
        Hold.objects.create(
            book=make_book(),
            borrower=make_borrower(),
            position=position,
            placed_at=NOW,
            status=status,
            **given,
        )
    page = client.get(HOLDS, headers={"accept-language": language}).content.decode()
    cells = re.findall(r'<td class="field-state.*?</td>', page, re.DOTALL)
    shown = [" ".join(strip_tags(cell).split()) for cell in cells]
    with translation.override(language):
        assert sorted(shown) == sorted(map(str, Hold.Status.labels))
