"""Staleness: changed books are classified again, and no others."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.models import BookFingerprint, ModelVersion, Suggestion
from classifier.pipeline.records import LoanTable
from classifier.services.classification import staleness
from classifier.services.classification.reclassify import classify
from classifier.services.classification.staleness import neighbourhoods
from classifier.services.registry.promotion import promote
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.catalogue.models import Book
from library.circulation.models import Loan
from tests.classifier.libraries import QUICK, UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.factories import NOW, make_book, make_borrower, make_loan

LATER = NOW + timedelta(days=1)


@pytest.fixture
def classified(db, data_folder, version_cache):
    """A library in which every book has been classified once."""
    trained_library(version_cache)
    classify(JobContext(now=NOW), include_categorised=True)


def again():
    """Classify what is stale; return which books that were, and check that no other was touched."""
    before = {row["id"]: row for row in Suggestion.objects.values()}
    classify(JobContext(now=LATER), include_categorised=True)
    fresh = set(Suggestion.objects.filter(created_at=LATER).values_list("book__control_number", flat=True))
    left = Suggestion.objects.exclude(book__control_number__in=fresh)
    assert all(before[row["id"]] == row for row in left.values())
    return fresh


def answers(books):
    rows = Suggestion.objects.filter(book__control_number__in=books).order_by("book", "rank")
    return list(rows.values_list("book", "rank", "category", "probability", "abstained"))


def near(rows):
    return [(*row[:3], pytest.approx(row[3], abs=1e-5), row[4]) for row in rows]


def test_with_nothing_changed_nothing_is_classified(classified):
    assert again() == set()


@pytest.mark.parametrize(
    "field",
    ["title", "subtitle", "authors", "publisher", "language", "description", "year", "cover", "audio"],
)
def test_a_changed_book_is_classified_again(classified, field):
    book = Book.objects.last()
    value = {"year": 1999, "cover": "covers/x.png", "audio": "audio/x.wav"}.get(field, "soup")
    Book.objects.filter(pk=book.pk).update(**{field: value})
    assert again() == {book.control_number}


def test_changed_cover_file_is_stale(classified, data_folder):
    book = Book.objects.last()
    Book.objects.filter(pk=book.pk).update(cover="covers/x.png")
    again()
    (data_folder / "media" / "covers").mkdir(parents=True)
    (data_folder / "media" / "covers" / "x.png").write_bytes(b"no picture")
    Suggestion.objects.update(created_at=NOW)
    assert again() == {book.control_number}


@pytest.mark.parametrize("field", ["isbn", "category"])
def test_unread_fields_do_not_matter(classified, field):
    other = Book.objects.exclude(category=None).first().category
    value = {"isbn": "9780000000002", "category": other}[field]
    more = {"category_source": "librarian"} if field == "category" else {}
    Book.objects.filter(pk=Book.objects.last().pk).update(**{field: value}, **more)
    assert again() == set()


def test_new_book_and_deleted_suggestions_are_stale(classified):
    make_book(control_number="new", title="star comet")
    Suggestion.objects.filter(book__control_number="b003").delete()
    assert again() == {"new", "b003"}


def test_loan_makes_the_borrowers_books_stale(classified):
    loan = Loan.objects.first()
    new = make_book(control_number="new", title="star comet")
    again()
    Suggestion.objects.update(created_at=NOW)
    touched = set(
        Loan.objects.filter(borrower=loan.borrower).values_list("copy__book__control_number", flat=True)
    )
    loan_of_new = make_loan(book=new, borrower=loan.borrower, returned_at=NOW)
    assert again() == touched | {"new"}
    # A second loan to the same borrower changes nothing.
    Suggestion.objects.update(created_at=NOW)
    make_loan(copy=loan_of_new.copy, borrower=loan.borrower, returned_at=LATER, borrowed_at=NOW)
    assert again() == set()
    Loan.objects.filter(copy=loan_of_new.copy).delete()
    assert again() == touched | {"new"}


def test_busy_borrower_connects_no_titles(classified, monkeypatch):
    monkeypatch.setattr(staleness, "MAX_TITLES", 5)
    again()
    Suggestion.objects.update(created_at=NOW)
    busy = Loan.objects.first().borrower
    lent = set(Loan.objects.filter(borrower=busy).values_list("copy__book__control_number", flat=True))
    assert len(lent) == 5
    # The sixth title makes a busy borrower; a seventh no longer changes the others.
    make_loan(book=make_book(control_number="sixth"), borrower=busy, returned_at=NOW)
    assert again() == lent | {"sixth"}
    Suggestion.objects.update(created_at=NOW)
    make_loan(book=make_book(control_number="seventh"), borrower=busy, returned_at=NOW)
    assert again() == {"seventh"}


def test_another_version_makes_all_stale(classified):
    train(JobContext(now=LATER), settings=QUICK, seed=1)
    promote(version=ModelVersion.objects.get(seed=1), now=NOW)
    assert len(again()) == Book.objects.count()


def test_incremental_equals_full_classification(classified):
    Book.objects.filter(control_number__in=["b048", "b050"]).update(
        title="soup bread oven", description="soup"
    )
    make_loan(book=Book.objects.get(control_number="b049"), borrower=make_borrower(), returned_at=NOW)
    make_loan(
        book=Book.objects.get(control_number="b048"), borrower=Loan.objects.first().borrower, returned_at=NOW
    )
    chosen = again()
    assert {"b048", "b049", "b050"} <= chosen
    assert len(chosen) < Book.objects.count()
    incremental = answers(chosen)
    classify(JobContext(now=LATER), include_categorised=True, include_unchanged=True)
    assert answers(chosen) == near(incremental)


def test_another_precision_is_another_question(classified):
    assert classify(JobContext(now=LATER), precision=0.5)["books"] == UNCATEGORISED
    assert BookFingerprint.objects.count() == Book.objects.count()


PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=15)


def table(pairs):
    books = sorted({f"b{book}" for book, _ in pairs})
    return LoanTable(
        book_ids=books,
        book=np.array([books.index(f"b{book}") for book, _ in pairs], np.int32),
        borrower=np.array([who for _, who in pairs], np.int32),
        borrowed_at=np.zeros(len(pairs), np.int64),
    )


def around(pairs):
    """For each book, what each of its borrowers borrowed, in no order."""
    return {
        f"b{book}": sorted(
            sorted({other for other, whose in pairs if whose == who})
            for who in {w for b, w in pairs if b == book}
        )
        for book in {book for book, _ in pairs}
    }


@given(before=PAIRS, after=PAIRS)
def test_neighbourhoods_are_equal_for_equal_loans(before, after):
    first, second = neighbourhoods(table(before)), neighbourhoods(table(after))
    was, is_now = around(before), around(after)
    assert first.keys() == was.keys()
    for book in first.keys() & second.keys():
        assert (first[book] == second[book]) == (was[book] == is_now[book])
