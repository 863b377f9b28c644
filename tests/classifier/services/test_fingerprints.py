"""Fingerprint of a run: every change of its input changes it, and nothing else."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.models import Run
from classifier.selectors.records import all_books, catalogue
from classifier.services.fingerprints import fingerprint_of
from classifier.services.runs.parameters import complete_parameters
from library.catalogue.models import Book, Category
from library.circulation.models import CoBorrowing, ExcludedLoanCount, Loan
from library.db import add_counts
from library.people.models import Borrower
from tests.classifier.factories import make_review, make_suggestion, make_version
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_borrower, make_category, make_copy, make_loan

KINDS = [kind.value for kind in Run.Kind if kind != Run.Kind.UNDO]  # which is never left out


def fingerprints(now=NOW, **given_):
    return {
        kind: fingerprint_of(
            kind=kind, parameters=complete_parameters(kind=kind, parameters=given_.get(kind, {})), now=now
        )
        for kind in KINDS
    }


@pytest.fixture
def library():
    categories = [make_category(notation="1"), make_category(notation="2")]
    books = [
        make_book(category=categories[0]),
        make_book(category=categories[1]),
        make_book(),
        make_book(category=categories[0], category_source="model"),
    ]
    copies = [make_copy(book=book) for book in books]
    people = [make_borrower(), make_borrower()]
    for number in range(4):
        make_loan(
            copy=copies[number % 2],
            borrower=people[number // 2],
            borrowed_at=NOW - timedelta(days=number + 1),
            returned_at=NOW,
        )
    return categories, books, copies, people


def seen():
    """What the pipeline is given, as a value that can be compared."""
    found = catalogue(all_books())
    loans = found.loans
    return (
        found.books,
        found.parents,
        [loans.book_ids[i] for i in loans.book],
        loans.borrower.tolist(),
        loans.borrowed_at.tolist(),
        loans.popularity.tolist(),
    )


TEXT = st.sampled_from(["", "a", "b", "ab", "1", "None"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(
            st.just("book"),
            st.integers(0, 3),
            st.sampled_from(["title", "subtitle", "authors", "publisher", "language", "description", "isbn"]),
            TEXT,
        ),
        st.tuples(st.just("book"), st.integers(0, 3), st.just("year"), st.sampled_from([None, 1, 2000])),
        st.tuples(st.just("loan"), st.integers(0, 3), st.just("borrower"), st.integers(0, 1)),
        st.tuples(st.just("forgotten"), st.integers(0, 3), st.just("count"), st.integers(0, 3)),
        st.tuples(st.just("out"), st.integers(0, 1), st.just("left_out"), st.booleans()),
        st.tuples(st.just("forgotten out"), st.integers(0, 3), st.just("count"), st.just(1)),
        st.tuples(st.just("loan"), st.integers(0, 3), st.just("copy"), st.integers(0, 3)),
        st.tuples(st.just("loan"), st.integers(0, 3), st.just("borrowed_at"), st.integers(1, 5)),
        st.tuples(st.just("file"), st.integers(0, 3), st.just("category"), st.integers(0, 2)),
        st.tuples(st.just("tree"), st.integers(0, 1), st.just("parent"), st.booleans()),
    ),
    max_size=4,
)


def make(change, library):
    categories, books, copies, people = library
    what, which, field, value = change
    if what == "book":
        Book.objects.filter(pk=books[which].pk).update(**{field: value})
    elif what == "loan":
        loan = Loan.objects.order_by("pk")[which]
        new = {
            "borrower": lambda: people[value],
            "copy": lambda: copies[value],
            "borrowed_at": lambda: NOW - timedelta(days=value),
        }[field]()
        with suppress(Exception), undone_on_error():
            Loan.objects.filter(pk=loan.pk).update(**{field: new})
    elif what == "forgotten":
        Loan.objects.filter(pk=Loan.objects.order_by("pk")[which].pk).update(borrower=None)
        if value:
            CoBorrowing.objects.update_or_create(book=books[0], other=books[1], defaults={"count": value})
    elif what == "out":
        Borrower.objects.filter(pk=people[which].pk).update(excluded_from_statistics=value)
    elif what == "forgotten out":
        loan = Loan.objects.order_by("pk").select_related("copy")[which]
        if loan.borrower_id:
            rows = [(loan.copy.book_id, 1)]
            add_counts(model=ExcludedLoanCount, keys=["book_id"], rows=rows)
            Loan.objects.filter(pk=loan.pk).update(borrower=None)
    elif what == "file":
        category = [*categories, None][value]
        source = "librarian" if category else "none"
        Book.objects.filter(pk=books[which].pk).update(category=category, category_source=source)
    else:
        Category.objects.filter(pk=categories[which].pk).update(
            parent=categories[1 - which] if value else None
        )


def undone_on_error():
    from django.db import transaction

    return transaction.atomic()


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(changes=CHANGES)
def test_changed_input_changes_the_fingerprint(library, changes):
    with rolled_back():
        before, said_before = seen(), fingerprints()
        for change in changes:
            make(change, library)
        after, said_after = seen(), fingerprints()
    for kind in KINDS:
        if before != after:
            assert said_before[kind] != said_after[kind]
        if not changes:
            assert said_before[kind] == said_after[kind]


@both_databases
def test_unread_columns_keep_the_fingerprint(database):
    make_loan(book=make_book(category=make_category()))
    before = fingerprints()
    Book.objects.update(isbn="9780306406157")
    Loan.objects.update(renewals=3, due_at=NOW + timedelta(days=90))
    assert fingerprints() == before


@pytest.mark.django_db
def test_parameters_settings_versions_and_days(settings):
    make_book()
    before = fingerprints()

    def changed(after):
        return {kind for kind in KINDS if after[kind] != before[kind]}

    assert changed(fingerprints(train={"seed": 1}, tune={"fresh": True})) == {"train", "tune"}
    assert changed(fingerprints(now=NOW + timedelta(days=1))) == {"recommend", "order_reviews"}
    assert changed(fingerprints(now=NOW + timedelta(hours=1))) == set()
    settings.SUGGESTION_PRECISION = 0.5
    assert changed(fingerprints()) == {"reclassify"}
    settings.SUGGESTION_PRECISION = 0.9
    make_version()
    assert changed(fingerprints()) == set()
    make_version(state="active")
    assert changed(fingerprints()) == {"reclassify", "draw_map", "recommend"}


@pytest.mark.django_db
def test_another_picture_under_the_same_name_counts():
    make_book(cover="covers/a.png")
    missing = fingerprints()
    file = Path(django_settings.MEDIA_ROOT) / "covers" / "a.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"one")
    there = fingerprints()
    file.write_bytes(b"other")
    assert len({said["train"] for said in (missing, there, fingerprints())}) == 3


@pytest.mark.django_db
def test_rejection_changes_the_fingerprint_of_classification():
    suggestion = make_suggestion()
    before = fingerprints()
    make_review(suggestion=suggestion)
    after = fingerprints()
    assert {kind for kind in KINDS if before[kind] != after[kind]} == {"reclassify"}
