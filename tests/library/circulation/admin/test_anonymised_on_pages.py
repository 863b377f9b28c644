"""Admin and API with anonymised loans, holds and fines."""

import re

import pytest
from django.contrib.auth.models import User

from library.circulation.models import FineEntry, Hold, Loan
from library.circulation.services.anonymisation import anonymise_loans
from library.people.models import AuditEntry, Borrower
from tests.factories import NOW, make_borrower, make_copy, make_loan
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def loan():
    """An anonymised loan with a paid fine; an anonymised hold and an identified loan also exist."""
    loan = make_loan(borrowed_at=NOW.replace(year=2010), returned_at=NOW.replace(year=2010))
    for kind in ("charge", "payment"):
        FineEntry.objects.create(loan=loan, borrower=loan.borrower, kind=kind, amount=1, created_at=NOW)
    ended = {"placed_at": NOW.replace(year=2010), "position": 1, "status": "fulfilled"}
    Hold.objects.create(book=loan.copy.book, borrower=loan.borrower, **ended)
    make_loan(borrower=make_borrower(card_number="IDENTIFIED"))
    anonymise_loans(now=NOW)
    loan.refresh_from_db()
    assert loan.borrower is None
    return loan


@pytest.mark.parametrize("model", ["loan", "hold", "fineentry"])
@pytest.mark.parametrize("query", ["", "?q=Title", "?o=3", "?o=1.2.3"])
def test_lists_show_anonymised_instead_of_the_card(loan, model, query):
    response = desk(make_librarian()).get(f"/admin/circulation/{model}/{query}")
    assert response.status_code == 200
    assert ">anonymised<" in re.sub(r"\s*([<>])\s*", r"\1", response.content.decode())


def test_lists_and_pages_are_translated(loan):
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    assert "已匿名化" in client.get("/admin/circulation/loan/").content.decode()
    assert "已匿名化" in client.get(f"/admin/circulation/loan/{loan.pk}/change/").content.decode()


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_pages_of_anonymised_records_open(loan, page):
    client = desk(User.objects.create_superuser("root"))
    for model, pk in (
        ("loan", loan.pk),
        ("hold", Hold.objects.get().pk),
        ("fineentry", FineEntry.objects.first().pk),
    ):
        if (model, page) in (("hold", "delete"), ("fineentry", "delete")):
            continue
        response = client.get(f"/admin/circulation/{model}/{pk}/{page}/")
        assert response.status_code == 200
        if page == "change":
            assert "anonymised" in response.content.decode()


def test_changing_an_anonymised_loan_adds_no_borrower(loan):
    client = desk(User.objects.create_superuser("root"))
    values = {
        "copy": loan.copy_id,
        "borrower": Borrower.objects.get(card_number="IDENTIFIED").pk,
        "renewals": 3,
    } | {
        f"{name}_{part}": text
        for name in ("borrowed_at", "due_at", "returned_at")
        for part, text in zip((0, 1), f"{getattr(loan, name):%Y-%m-%d %H:%M:%S}".split(), strict=True)
    }
    assert client.post(f"/admin/circulation/loan/{loan.pk}/change/", values).status_code == 302
    loan.refresh_from_db()
    assert (loan.renewals, loan.borrower) == (3, None)


def test_anonymised_loan_takes_no_payment(loan):
    client = desk(make_librarian())
    assert "Record payment or waiver" not in client.get("/admin/circulation/fineentry/").content.decode()
    assert client.get(f"/admin/circulation/fineentry/payment/{loan.pk}/").status_code == 404


def test_api_rejects_a_borrower_for_an_anonymised_loan(loan):
    client = api(make_librarian())
    for url in (f"/api/v1/loans/{loan.pk}/", f"/api/v1/holds/{Hold.objects.get().pk}/"):
        response = client.get(url).json()
        assert (response["borrower"], response["card_number"]) == (None, None)
    assert client.get("/api/v1/loans/?search=IDENTIFIED").json()["count"] == 1
    response = client.patch(f"/api/v1/loans/{loan.pk}/", {"borrower": make_borrower().pk}, format="json")
    assert response.status_code == 400
    assert "This loan has been anonymised; a borrower cannot be assigned to it." in str(response.json())
    assert client.patch(f"/api/v1/loans/{loan.pk}/", {"renewals": 2}, format="json").status_code == 200
    loan.refresh_from_db()
    assert (loan.renewals, loan.borrower) == (2, None)


@pytest.mark.parametrize("borrower", [{}, {"card_number": None}])
def test_api_rejects_a_loan_without_borrower(borrower):
    response = api(make_librarian()).post(
        "/api/v1/loans/", {"barcode": make_copy().barcode} | borrower, format="json"
    )
    assert response.status_code == 400
    assert "card_number" in str(response.json())
    assert not Loan.objects.exists()


class TestErasing:
    def test_page_lists_effects_and_erases(self):
        borrower = make_borrower(card_number="P1")
        loan = make_loan(borrower=borrower, returned_at=NOW)
        client = desk(make_librarian())
        url = f"/admin/people/borrower/{borrower.pk}/delete/"
        page = client.get(url).content.decode()
        assert "Erase borrower P1?" in page
        assert "1 loan will be anonymised." in page
        assert client.post(url, {"post": "yes"}).status_code == 302
        assert not Borrower.objects.exists()
        loan.refresh_from_db()
        assert loan.borrower is None
        entry = AuditEntry.objects.filter(action="changed").get()
        assert (entry.object_type, entry.object_key) == ("people.borrower", str(borrower.pk))

    def test_page_lists_reasons_against_erasure(self):
        borrower = make_loan(borrower=make_borrower(card_number="P1")).borrower
        client = desk(make_librarian())
        url = f"/admin/people/borrower/{borrower.pk}/delete/"
        page = client.get(url).content.decode()
        assert "Borrower P1 cannot be erased now." in page
        assert "The borrower has open loans (1). Check in all copies first, including lost ones." in page
        assert client.post(url, {"post": "yes"}).status_code == 200
        assert Borrower.objects.get() == borrower

    def test_concurrent_loan_rolls_back_the_erasure(self, monkeypatch):
        borrower = make_loan().borrower
        monkeypatch.setattr("library.circulation.admin.borrowers.erasure_blocks", lambda borrower: [])
        client = desk(make_librarian())
        response = client.post(f"/admin/people/borrower/{borrower.pk}/delete/", {"post": "yes"}, follow=True)
        assert "The borrower has open loans (1)." in response.content.decode()
        assert not AuditEntry.objects.filter(action="changed").exists()
        assert Borrower.objects.get() == borrower

    def test_no_bulk_erasure_and_no_erasure_by_the_desk(self):
        borrower = make_borrower()
        form_data = {"action": "delete_selected", "_selected_action": [borrower.pk], "post": "yes"}
        desk(make_librarian()).post("/admin/people/borrower/", form_data)
        clerk = desk(make_user("circulation desk"))
        assert clerk.get(f"/admin/people/borrower/{borrower.pk}/delete/").status_code == 403
        assert Borrower.objects.get() == borrower
