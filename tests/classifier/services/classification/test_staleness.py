"""Which books are classified again: those that would be read otherwise now, and no other."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.models import ModelVersion, Reading, Suggestion
from classifier.pipeline.records import LoanTable
from classifier.services.classification import staleness
from classifier.services.classification.reclassify import classify
from classifier.services.classification.staleness import neighbourhoods
from classifier.services.registry.promotion import promote
from classifier.services.training.training import train
from library.catalogue.models import Book
from library.circulation.models import Loan
from tests.classifier.libraries import QUICK, UNCATEGORISED
from tests.classifier.serving_process import trained_library
from tests.factories import NOW, make_book, make_borrower, make_loan

LATER = NOW + timedelta(days=1)


@pytest.fixture
def classified(db, data_folder, kept_versions):
    """A library in which every book has been classified once."""
    trained_library(kept_versions)
    classify(now=NOW, include_categorised=True)


def again():
    """Classify what is stale; return which books that were, and check that no other was touched."""
    before = {row["id"]: row for row in Suggestion.objects.values()}
    classify(now=LATER, include_categorised=True)
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


def test_another_picture_under_the_same_name_is_a_change(classified, data_folder):
    book = Book.objects.last()
    Book.objects.filter(pk=book.pk).update(cover="covers/x.png")
    again()
    (data_folder / "media" / "covers").mkdir(parents=True)
    (data_folder / "media" / "covers" / "x.png").write_bytes(b"no picture")
    Suggestion.objects.update(created_at=NOW)
    assert again() == {book.control_number}


@pytest.mark.parametrize("field", ["isbn", "category"])
def test_what_is_not_read_is_no_change(classified, field):
    other = Book.objects.exclude(category=None).first().category
    value = {"isbn": "9780000000002", "category": other}[field]
    more = {"category_source": "librarian"} if field == "category" else {}
    Book.objects.filter(pk=Book.objects.last().pk).update(**{field: value}, **more)
    assert again() == set()


def test_a_new_book_and_one_that_lost_its_suggestions_are_classified(classified):
    make_book(control_number="new", title="star comet")
    Suggestion.objects.filter(book__control_number="b003").delete()
    assert again() == {"new", "b003"}


def test_a_loan_makes_stale_what_its_borrower_borrowed_and_nothing_else(classified):
    loan = Loan.objects.first()
    new = make_book(control_number="new", title="star comet")
    again()
    Suggestion.objects.update(created_at=NOW)
    touched = set(
        Loan.objects.filter(borrower=loan.borrower).values_list("copy__book__control_number", flat=True)
    )
    made = make_loan(book=new, borrower=loan.borrower, returned_at=NOW)
    assert again() == touched | {"new"}
    # Borrowed again by the same, nothing is new to the model.
    Suggestion.objects.update(created_at=NOW)
    make_loan(copy=made.copy, borrower=loan.borrower, returned_at=LATER, borrowed_at=NOW)
    assert again() == set()
    Loan.objects.filter(copy=made.copy).delete()
    assert again() == touched | {"new"}


def test_who_borrows_everything_ties_nothing_together(classified, monkeypatch):
    monkeypatch.setattr(staleness, "BUSY", 5)
    again()
    Suggestion.objects.update(created_at=NOW)
    busy = Loan.objects.first().borrower
    lent = set(Loan.objects.filter(borrower=busy).values_list("copy__book__control_number", flat=True))
    assert len(lent) == 5
    # The sixth title makes a busy reader; a seventh changes nothing for the others any more.
    make_loan(book=make_book(control_number="sixth"), borrower=busy, returned_at=NOW)
    assert again() == lent | {"sixth"}
    Suggestion.objects.update(created_at=NOW)
    make_loan(book=make_book(control_number="seventh"), borrower=busy, returned_at=NOW)
    assert again() == {"seventh"}


def test_another_version_makes_all_stale(classified):
    train(now=LATER, settings=QUICK, seed=1)
    promote(version=ModelVersion.objects.get(seed=1), now=NOW)
    assert len(again()) == Book.objects.count()


def test_for_the_books_chosen_the_answers_are_those_of_a_full_run(classified):
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
    classify(now=LATER, include_categorised=True, afresh=True)
    assert answers(chosen) == near(incremental)


def test_another_precision_is_another_question(classified):
    assert classify(now=LATER, precision=0.5)["books"] == UNCATEGORISED
    assert Reading.objects.count() == Book.objects.count()


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
def test_neighbourhoods_are_equal_where_the_same_was_borrowed_by_the_same_company(before, after):
    first, second = neighbourhoods(table(before)), neighbourhoods(table(after))
    was, is_now = around(before), around(after)
    assert first.keys() == was.keys()
    for book in first.keys() & second.keys():
        assert (first[book] == second[book]) == (was[book] == is_now[book])
