"""Recommendations on request: equal to stored ones, and for borrowers without a list."""

from datetime import timedelta

import pytest

from classifier.models import Listing, Recommendation
from classifier.selectors.recommendations import recommended_titles, similar_titles
from classifier.services.configuration import library_config
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from library.catalogue.models import Book, Copy
from library.circulation.models import Loan
from library.people.models import AuditEntry, Borrower
from tests.classifier.factories import make_feedback, make_listing, make_neighbours
from tests.classifier.libraries import make_library
from tests.databases import both_databases
from tests.factories import NOW, make_book, make_borrower, make_category, make_copy, make_loan
from tests.logins import api, desk, make_librarian, make_user_without_permissions


def advised(borrower, **options):
    settings = library_config().recommend
    return recommended_titles(borrower=borrower.pk, settings=settings, **({"n": 10} | options))


def titles(borrower, **options):
    return [row.book.title for row in advised(borrower, **options)]


@both_databases
def test_what_is_advised_on_request_is_what_is_stored(database):
    make_library()
    # Some titles are new, so that lists are filled up too.
    Book.objects.update(created_at=NOW - timedelta(days=400))
    for number, notation in enumerate(("AST", "COO")):
        book = Book.objects.filter(category__notation=notation).first()
        make_book(title=f"quite unlike {number}", category=book.category, created_at=NOW)
    make_feedback(
        borrower=Borrower.objects.get(card_number="p001"), book=Book.objects.get(control_number="b002")
    )
    make_feedback(
        borrower=Borrower.objects.get(card_number="p002"),
        book=Book.objects.get(control_number="b003"),
        verdict="liked",
    )
    for again in (False, True):
        recommend(JobContext(now=NOW + timedelta(days=1)), n=30, include_borrowed=again)
        sources = set()
        for borrower in Borrower.objects.all():
            rows = Recommendation.objects.filter(borrower=borrower).order_by("rank")
            stored = [(r.rank, r.book_id, r.score, tuple(r.sources.split(",")), r.because_id) for r in rows]
            found = [
                (r.rank, r.book.pk, r.score, r.sources, r.because.pk if r.because else None)
                for r in advised(borrower, n=30, include_borrowed=again)
            ]
            assert found == stored
            sources |= {row[3] for row in stored}
        assert {("new",), ("text",)} <= sources


@pytest.mark.django_db(databases=["default"])
def test_pages_go_on_where_the_last_one_ended():
    make_library()
    recommend(JobContext(now=NOW))
    borrower = Borrower.objects.get(card_number="p000")
    first = advised(borrower, n=5)
    assert [row.rank for row in first] == [1, 2, 3, 4, 5]
    second = advised(borrower, n=5, offset=5)
    assert [row.rank for row in second] == [6, 7, 8, 9, 10][: len(second)] != []
    assert not {row.book for row in first} & {row.book for row in second}


@pytest.mark.django_db
def test_anonymised_borrower_has_no_stored_list():
    make_library()
    Borrower.objects.filter(card_number="p000").update(retention="anonymise")
    recommend(JobContext(now=NOW))
    borrower = Borrower.objects.get(card_number="p000")
    assert Recommendation.objects.exists()
    assert not Recommendation.objects.filter(borrower=borrower).exists()
    had = set(Book.objects.filter(copies__loans__borrower=borrower).values_list("title", flat=True))
    assert {row.because.title for row in advised(borrower)} <= had
    Loan.objects.filter(borrower=borrower).update(borrower=None)
    assert titles(borrower) == []


@pytest.mark.django_db
def test_anonymisation_during_the_run_removes_the_list():
    make_library()

    def choose(phase, done, total):
        Borrower.objects.filter(card_number="p000").update(retention="anonymise")

    recommend(JobContext(now=NOW, progress=choose))
    assert not Recommendation.objects.filter(borrower__card_number="p000").exists()


@pytest.mark.django_db
def test_filters():
    law, tax = make_category(), make_category()
    below = make_category(parent=law)
    read = make_book(title="read")
    borrower = make_loan(book=read).borrower
    books = {
        title: make_book(title=title, category=category, language=language)
        for title, category, language in (("a", law, "en"), ("b", below, "zh"), ("c", tax, "zh"))
    }
    Copy.objects.create(barcode="1", book=books["c"], status="available")
    make_neighbours(
        book=read, following={book: {"text": 1 / n} for n, book in enumerate(books.values(), start=1)}
    )
    assert titles(borrower) == ["a", "b", "c"]
    assert [row.book.is_available for row in advised(borrower)] == [False, False, True]
    assert titles(borrower, category=law.pk) == ["a", "b"]
    assert titles(borrower, language="zh") == ["b", "c"]
    assert titles(borrower, available=True) == ["c"]


@pytest.mark.django_db
def test_borrower_without_loans_gets_similar_new_and_popular():
    law = make_category()
    liked, like, new, popular, latest = (
        make_book(title=title, category=category)
        for title, category in (
            ("liked", law), ("like", None), ("new", law), ("popular", None), ("latest", None)
        )
    )  # fmt: skip
    make_neighbours(book=liked, following={like: {"theme": 1, "cover": 0.75}})
    for book in (new, latest):
        make_listing(book=book, kind=Listing.Kind.LATEST)
    make_listing(book=popular)
    borrower = make_borrower()
    assert titles(borrower) == ["popular", "new", "latest"]
    make_feedback(borrower=borrower, book=liked, verdict="liked")
    assert [(row.book.title, row.reason) for row in advised(borrower)] == [
        ("like", "Similar topic and cover to “liked”"),
        ("new", "New in a category you read"),
        ("popular", "Popular in this library"),
        ("latest", "New in this library"),
    ]
    assert titles(borrower, category=law.pk) == ["new"]


@pytest.mark.django_db
def test_similar_titles_are_paged():
    book, *others = (make_book(title=title) for title in "xabc")
    make_neighbours(book=book, similar={other: {"text": 1 / n} for n, other in enumerate(others, start=1)})
    assert [row.book.title for row in similar_titles(book=book.pk, n=2)] == ["a", "b"]
    assert [(row.rank, row.book.title) for row in similar_titles(book=book.pk, n=2, offset=2)] == [(3, "c")]
    assert similar_titles(book=others[0].pk, n=2) == []


@pytest.mark.django_db
def test_api_returns_reasons_and_writes_the_audit_log():
    read, other = make_book(title="read"), make_copy().book
    borrower = make_loan(book=read).borrower
    make_neighbours(book=read, following={other: {"loans": 0.5, "text": 0.25}, make_book(): {"text": 0.25}})
    address = f"/api/v1/borrowers/{borrower.pk}/recommendations/"
    assert api(make_user_without_permissions()).get(address).status_code == 403
    AuditEntry.objects.filter(action="refused").get()
    librarian = api(make_librarian())
    first, second = librarian.get(address).json()["results"]
    assert {name: first[name] for name in first if name != "book"} == {
        "rank": 1,
        "score": 0.75,
        "sources": ["loans", "text"],
        "available": True,
        "because": read.pk,
        "reason": "Borrowers of “read” also borrowed this; similar text",
    }
    assert first["book"]["id"] == other.pk
    assert (second["available"], second["sources"]) == (False, ["text"])
    entry = AuditEntry.objects.get(action="viewed")
    assert (entry.action, entry.object_type, entry.object_key) == (
        "viewed",
        "people.borrower",
        str(borrower.pk),
    )
    assert [row["rank"] for row in librarian.get(f"{address}?limit=1&offset=1").json()["results"]] == [2]
    again = librarian.get(f"{address}?exclude_borrowed=false").json()["results"]
    assert [(row["book"]["id"], row["reason"]) for row in again if row["sources"] == ["again"]] == [
        (read.pk, "Borrowed before")
    ]
    assert librarian.get(f"{address}?limit=0").status_code == 400
    assert librarian.get("/api/v1/borrowers/0/recommendations/").status_code == 404


@pytest.mark.django_db
def test_page_shows_titles_and_takes_feedback():
    read, other = make_book(title="read"), make_book(title="other")
    borrower = make_loan(book=read).borrower
    make_neighbours(book=read, following={other: {"text": 0.25}})
    client = desk(make_librarian())
    page = "/admin/classifier/recommendation/for/"
    assert client.get(page).status_code == 200
    address = f"{page}?card_number={borrower.card_number}"
    shown = client.get(address).content.decode()
    assert "Similar text to “read”" in shown
    assert "No copies available" in shown
    assert client.post(address, {"say": f"not_this {other.pk}"}).status_code == 302
    assert "Like “read”" not in client.get(address).content.decode()
    assert (
        "No borrower has this card number. Check it and try again."
        in client.get(f"{page}?card_number=nobody").content.decode()
    )
