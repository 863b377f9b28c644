"""Nothing that people or programs look at breaks on a loan, a hold or a fine of nobody known."""

import re

import pytest
from django.contrib.auth.models import User

from library.circulation.models import FineEntry, Hold, Loan
from library.circulation.services.anonymisation import forget_loans
from library.people.models import AuditEntry, Borrower
from tests.factories import NOW, make_borrower, make_copy, make_loan
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def loan():
    """A forgotten loan with a fine that is settled, beside a forgotten hold and a loan that is known."""
    loan = make_loan(borrowed_at=NOW.replace(year=2010), returned_at=NOW.replace(year=2010))
    for kind in ("charge", "payment"):
        FineEntry.objects.create(loan=loan, borrower=loan.borrower, kind=kind, amount=1, at=NOW)
    about = {"placed_at": NOW.replace(year=2010), "position": 1, "status": "fulfilled"}
    Hold.objects.create(book=loan.copy.book, borrower=loan.borrower, **about)
    make_loan(borrower=make_borrower(card_number="KNOWN"))
    forget_loans(now=NOW)
    loan.refresh_from_db()
    assert loan.borrower is None
    return loan


@pytest.mark.parametrize("model", ["loan", "hold", "fineentry"])
@pytest.mark.parametrize("query", ["", "?q=Title", "?o=3", "?o=1.2.3"])
def test_lists_say_forgotten_in_the_place_of_the_card(loan, model, query):
    answer = desk(make_librarian()).get(f"/admin/circulation/{model}/{query}")
    assert answer.status_code == 200
    assert ">forgotten<" in re.sub(r"\s*([<>])\s*", r"\1", answer.content.decode())


def test_lists_and_pages_speak_chinese(loan):
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    assert "已遗忘" in client.get("/admin/circulation/loan/").content.decode()
    assert "已遗忘" in client.get(f"/admin/circulation/loan/{loan.pk}/change/").content.decode()


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_pages_of_a_forgotten_record_open(loan, page):
    client = desk(User.objects.create_superuser("root"))
    for model, pk in (
        ("loan", loan.pk),
        ("hold", Hold.objects.get().pk),
        ("fineentry", FineEntry.objects.first().pk),
    ):
        if (model, page) in (("hold", "delete"), ("fineentry", "delete")):
            continue
        answer = client.get(f"/admin/circulation/{model}/{pk}/{page}/")
        assert answer.status_code == 200
        if page == "change":
            assert "forgotten" in answer.content.decode()


def test_changing_a_forgotten_loan_enters_nobody(loan):
    client = desk(User.objects.create_superuser("root"))
    values = {
        "copy": loan.copy_id,
        "borrower": Borrower.objects.get(card_number="KNOWN").pk,
        "renewals": 3,
    } | {
        f"{name}_{part}": text
        for name in ("borrowed_at", "due_at", "returned_at")
        for part, text in zip((0, 1), f"{getattr(loan, name):%Y-%m-%d %H:%M:%S}".split(), strict=True)
    }
    assert client.post(f"/admin/circulation/loan/{loan.pk}/change/", values).status_code == 302
    loan.refresh_from_db()
    assert (loan.renewals, loan.borrower) == (3, None)


def test_nothing_is_settled_for_a_forgotten_loan(loan):
    client = desk(make_librarian())
    assert "Pay or waive" not in client.get("/admin/circulation/fineentry/").content.decode()
    assert client.get(f"/admin/circulation/fineentry/settle/{loan.pk}/").status_code == 404


def test_the_api_has_no_borrower_and_takes_none(loan):
    client = api(make_librarian())
    for address in (f"/api/v1/loans/{loan.pk}/", f"/api/v1/holds/{Hold.objects.get().pk}/"):
        answer = client.get(address).json()
        assert (answer["borrower"], answer["card_number"]) == (None, None)
    assert client.get("/api/v1/loans/?search=KNOWN").json()["count"] == 1
    answer = client.patch(f"/api/v1/loans/{loan.pk}/", {"borrower": make_borrower().pk}, format="json")
    assert answer.status_code == 400
    assert "It is forgotten who had this loan" in str(answer.json())
    assert client.patch(f"/api/v1/loans/{loan.pk}/", {"renewals": 2}, format="json").status_code == 200
    loan.refresh_from_db()
    assert (loan.renewals, loan.borrower) == (2, None)


@pytest.mark.parametrize("borrower", [{}, {"card_number": None}])
def test_the_api_makes_no_loan_of_nobody(borrower):
    answer = api(make_librarian()).post(
        "/api/v1/loans/", {"barcode": make_copy().barcode} | borrower, format="json"
    )
    assert answer.status_code == 400
    assert "card_number" in str(answer.json())
    assert not Loan.objects.exists()


class TestErasing:
    def test_the_page_says_what_goes_and_the_button_does_it(self):
        borrower = make_borrower(card_number="P1")
        loan = make_loan(borrower=borrower, returned_at=NOW)
        client = desk(make_librarian())
        address = f"/admin/people/borrower/{borrower.pk}/delete/"
        page = client.get(address).content.decode()
        assert "Erase the borrower P1?" in page
        assert "Of 1 loan nobody will know whose it was." in page
        assert client.post(address, {"post": "yes"}).status_code == 302
        assert not Borrower.objects.exists()
        loan.refresh_from_db()
        assert loan.borrower is None
        entry = AuditEntry.objects.filter(action="changed").get()
        assert (entry.object_type, entry.object_key) == ("people.borrower", str(borrower.pk))

    def test_the_page_says_what_stands_against_it(self):
        borrower = make_loan(borrower=make_borrower(card_number="P1")).borrower
        client = desk(make_librarian())
        address = f"/admin/people/borrower/{borrower.pk}/delete/"
        page = client.get(address).content.decode()
        assert "The borrower P1 cannot be erased now." in page
        assert "The borrower has 1 on loan: check them in first, lost ones too." in page
        assert client.post(address, {"post": "yes"}).status_code == 200
        assert Borrower.objects.get() == borrower

    def test_a_loan_made_since_the_page_looked_undoes_it_all(self, monkeypatch):
        borrower = make_loan().borrower
        monkeypatch.setattr(
            "library.circulation.admin.borrowers.reasons_against_erasing", lambda borrower: []
        )
        client = desk(make_librarian())
        answer = client.post(f"/admin/people/borrower/{borrower.pk}/delete/", {"post": "yes"}, follow=True)
        assert "The borrower has 1 on loan" in answer.content.decode()
        assert not AuditEntry.objects.filter(action="changed").exists()
        assert Borrower.objects.get() == borrower

    def test_borrowers_are_not_deleted_in_bulk_or_by_the_circulation_desk(self):
        borrower = make_borrower()
        many = {"action": "delete_selected", "_selected_action": [borrower.pk], "post": "yes"}
        desk(make_librarian()).post("/admin/people/borrower/", many)
        clerk = desk(make_user("circulation desk"))
        assert clerk.get(f"/admin/people/borrower/{borrower.pk}/delete/").status_code == 403
        assert Borrower.objects.get() == borrower
