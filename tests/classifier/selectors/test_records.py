from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.records import BookRecord
from classifier.selectors import records
from classifier.selectors.records import (
    all_books,
    book_keys,
    catalogue,
    catalogue_and_borrowers,
    categories_by_key,
    parents,
)
from library.catalogue.models import Book
from library.circulation.models import CoBorrowing, Loan
from tests.databases import rolled_back
from tests.factories import NOW, make_book, make_borrower, make_category, make_copy, make_loan

pytestmark = pytest.mark.django_db


def test_record_has_all_fields(settings):
    make_book(
        control_number="7",
        title="Optics",
        subtitle="An introduction",
        authors="A. Author",
        publisher="A Press",
        year=1999,
        language="en",
        description="Light and lenses.",
        cover="covers/7.png",
        audio="audio/7.wav",
        category=make_category(scheme="ddc", notation="535"),
    )
    (record,) = catalogue(all_books()).books
    assert record == BookRecord(
        id="7",
        title="Optics",
        subtitle="An introduction",
        authors="A. Author",
        publisher="A Press",
        year=1999,
        language="en",
        description="Light and lenses.",
        cover=Path(settings.MEDIA_ROOT) / "covers" / "7.png",
        audio=Path(settings.MEDIA_ROOT) / "audio" / "7.wav",
        category="ddc/535",
    )


def test_what_is_not_known_of_a_book_is_empty():
    make_book(control_number="7", title="Optics")
    assert catalogue(all_books()).books == [BookRecord(id="7", title="Optics")]


@pytest.mark.parametrize(
    ("source", "expected"), [("imported", "local/A"), ("librarian", "local/A"), ("model", None)]
)
def test_only_trusted_categories_are_labels(source, expected):
    make_book(category=make_category(notation="A"), category_source=source)
    assert catalogue(all_books()).books[0].category == expected


def test_books_come_in_the_order_of_control_numbers():
    for number in ("b", "c", "a"):
        make_book(control_number=number)
    assert [book.id for book in catalogue(all_books()).books] == ["a", "b", "c"]


def test_loans_are_complete_for_a_part_of_the_books():
    inside, outside = make_book(control_number="in"), make_book(control_number="out")
    make_loan(book=inside)
    make_loan(book=outside)
    part = catalogue(Book.objects.filter(pk=inside.pk))
    assert [book.id for book in part.books] == ["in"]
    assert sorted(part.loans.book_ids) == ["in", "out"]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 30)), max_size=20))
def test_loan_table_matches_the_loans(rows):
    with rolled_back():
        people = [make_borrower() for _ in range(5)]
        books = [make_book() for _ in range(5)]
        for person, book, days in rows:
            make_loan(
                copy=make_copy(book=books[book]),
                borrower=people[person],
                borrowed_at=NOW - timedelta(days=days),
            )
        found, borrowers = catalogue_and_borrowers(all_books())
        table = found.loans
        traced = [
            (table.book_ids[book], borrowers[person], moment)
            for book, person, moment in zip(table.book, table.borrower, table.borrowed_at, strict=True)
        ]
        kept = Loan.objects.values_list("copy__book__control_number", "borrower", "borrowed_at")
        assert sorted(traced) == sorted((book, person, at.timestamp()) for book, person, at in kept)
        assert table.n_borrowers == len(borrowers) == len({person for person, _, _ in rows})


def test_query_count_is_constant(django_assert_num_queries):
    for _ in range(20):
        make_loan(book=make_book(category=make_category(), cover="covers/a.png"))
    with django_assert_num_queries(6):
        found, borrowers = catalogue_and_borrowers(all_books())
    assert (len(found.books), len(found.loans), len(borrowers)) == (20, 20, 20)


def test_pairs_become_synthetic_borrowers():
    one, other = make_book(control_number="one"), make_book(control_number="other")
    known = make_loan(book=one)
    for _ in range(4):
        make_loan(book=other, borrower=None, returned_at=NOW)
    CoBorrowing.objects.create(book=one, other=other, count=3)
    found, borrowers = catalogue_and_borrowers(all_books())
    table = found.loans
    assert (borrowers, table.first_synthetic, table.n_borrowers) == ([known.borrower_id], 1, 4)
    had = [
        (int(person), table.book_ids[book]) for person, book in zip(table.borrower, table.book, strict=True)
    ]
    assert had == [(0, "one"), *[(person, book) for person in (1, 2, 3) for book in ("one", "other")]]
    popularity = dict(zip(table.book_ids, table.popularity.tolist(), strict=True))
    assert popularity == {"one": 1, "other": 4}


def test_synthetic_borrowers_are_limited(monkeypatch):
    monkeypatch.setattr(records, "MAX_SYNTHETIC_BORROWERS", 10)
    books = [make_book() for _ in range(4)]
    for book, count in zip(books[1:], (60, 39, 1), strict=True):
        CoBorrowing.objects.create(book=books[0], other=book, count=count)
    table = catalogue(all_books()).loans
    times = {number: list(table.book).count(i) for i, number in enumerate(table.book_ids)}
    assert [times[book.control_number] for book in books] == [10, 6, 4, 0]


def test_schemes_are_separate(django_assert_num_queries):
    ours, theirs = make_category(notation="530"), make_category(scheme="ddc", notation="530")
    with django_assert_num_queries(1):
        assert categories_by_key() == {"local/530": ours, "ddc/530": theirs}


def test_the_category_above_is_that_of_the_tree(django_assert_num_queries):
    science = make_category(notation="science")
    physics = make_category(notation="physics", parent=science)
    make_category(notation="optics", parent=physics)
    make_category(scheme="ddc", notation="800")
    with django_assert_num_queries(1):
        found = parents()
    assert found == {
        "local/physics": "local/science",
        "local/optics": "local/physics",
        "ddc/800": "ddc/80",
        "ddc/80": "ddc/8",
    }
    assert catalogue(all_books()).parents == found


def test_stored_parents_replace_notations():
    physics = make_category(scheme="ddc", notation="530")
    make_category(scheme="ddc", notation="535", parent=physics)
    make_category(scheme="ddc", notation="610")
    assert parents() == {"ddc/535": "ddc/530"}


def test_unknown_notations_have_no_parent():
    make_category(notation="Fiction")
    make_category(notation="53")
    assert parents() == {}


def test_keys_are_found_of_the_books_that_are_there(django_assert_num_queries):
    book = make_book(control_number="a")
    make_book(control_number="b")
    with django_assert_num_queries(1):
        assert book_keys(["a", "gone"]) == {"a": book.pk}
