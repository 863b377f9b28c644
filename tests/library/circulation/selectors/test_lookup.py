"""Search of lists by title, barcode prefix or card number prefix."""

import pytest

from classifier.models import Feedback, Recommendation, Suggestion
from library.admin_site.roles import ADMINISTRATORS
from library.catalogue.models import Copy
from library.circulation.models import FineEntry, Hold, Loan, Notice
from tests.classifier.factories import make_suggestion
from tests.databases import both_databases
from tests.factories import NOW, make_book, make_borrower, make_category, make_copy, make_loan
from tests.logins import api, desk, make_user


@pytest.fixture
def search(database):
    """Create two of everything; the first match optics, copy C-1 and card R-1; return the search."""
    for number, title in (("1", "Optics for beginners"), ("2", "Rivers")):
        book = make_book(title=title, control_number=f"B{number}")
        copy = make_copy(book=book, barcode=f"C-{number}", call_number=f"QC {number}")
        borrower = make_borrower(card_number=f"R-{number}")
        loan = make_loan(copy=copy, borrower=borrower)
        FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount=1, created_at=NOW)
        Hold.objects.create(book=book, borrower=borrower, position=1, placed_at=NOW)
        Notice.objects.create(kind="overdue", loan=loan, occasion=NOW, claimed_at=NOW)
        make_suggestion(book=book, category=make_category())
        Recommendation.objects.create(
            borrower=borrower, book=book, rank=1, score=1, sources="popular", input_digest=1, created_at=NOW
        )
        Feedback.objects.create(borrower=borrower, book=book, verdict="liked", created_at=NOW)
    user = make_user(ADMINISTRATORS)

    def search_lists(text, *, admin, rest):
        """Return the rows that the admin list and the API list find, which must be the same."""
        rows = desk(user).get(f"/admin/{admin}/", {"q": text}).context["cl"].result_list
        keys = sorted(row.pk for row in rows)
        response = api(user).get(f"/api/v1/{rest}/", {"search": text}).json()
        assert sorted(row["id"] for row in response["results"]) == keys
        return keys

    return search_lists


LISTS = {
    Loan: ("circulation/loan", "loans", ("opti", "C-1", "R-1")),
    FineEntry: ("circulation/fineentry", "fines", ("opti", "C-1", "R-1")),
    Hold: ("circulation/hold", "holds", ("opti", "R-1")),
    Notice: ("circulation/notice", "notices", ("R-1",)),
    Copy: ("catalogue/copy", "copies", ("opti", "C-1", "QC 1")),
    Suggestion: ("classifier/suggestion", "suggestions", ("opti", "B1")),
    Recommendation: ("classifier/recommendation", "recommendations", ("opti", "R-1")),
    Feedback: ("classifier/feedback", "feedback", ("opti", "R-1")),
}


@both_databases
def test_search_by_title_barcode_and_card(database, search):
    for model, (admin, rest, texts) in LISTS.items():
        first, second = sorted(model.objects.values_list("pk", flat=True))
        for text in texts:
            assert (model, text, search(f" {text} ", admin=admin, rest=rest)) == (model, text, [first])
        assert search(" ", admin=admin, rest=rest) == [first, second]
        for text in ("no match", "?!", "-1"):
            assert search(text, admin=admin, rest=rest) == []


@both_databases
def test_row_matching_twice_is_listed_once(database):
    book = make_book(title="R-1 and other cards")
    loans = [
        make_loan(book=book, borrower=make_borrower(card_number="R-1")),
        make_loan(book=book, returned_at=NOW),
    ]
    client = api(make_user(ADMINISTRATORS))
    rows = client.get("/api/v1/loans/", {"search": "R-1"}).json()["results"]
    assert sorted(row["id"] for row in rows) == [loan.pk for loan in loans]
    assert client.get("/api/v1/loans/", {"search": "R-1", "open": "false"}).json()["count"] == 1
