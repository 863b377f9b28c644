"""Lists of titles and copies: most borrowed, category use, purchase, weeding, shelf list."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from library.analytics.selectors.collection import titles_by_decade, use_by_category
from library.analytics.selectors.purchase import purchase_suggestions, total_holds_and_copies
from library.analytics.selectors.scope import Scope
from library.analytics.selectors.shelf_list import shelf_list
from library.analytics.selectors.titles import most_borrowed, never_borrowed, rarely_borrowed
from library.analytics.selectors.weeding import weeding_candidates, with_reasons
from library.analytics.services.refresh import refresh_statistics
from library.catalogue.models import Book
from library.circulation.models import Hold, LoanEvent
from library.circulation.services.anonymisation import anonymise_loans
from tests.databases import rolled_back
from tests.factories import NOW, make_book, make_borrower, make_branch, make_category, make_copy, make_loan

ALL = Scope(date(2024, 1, 1), date(2024, 12, 31))
DAY = timedelta(days=1)


@pytest.mark.django_db
@hypothesis_settings(max_examples=25)
@given(
    loans=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), max_size=25),
    anonymised=st.booleans(),
)
def test_most_rarely_and_never_borrowed(loans, anonymised):
    """The third borrower is excluded from statistics; exact low counts stay hidden."""
    with rolled_back():
        branches = [make_branch(), make_branch()]
        books = [make_book() for _ in range(4)]
        copies = [make_copy(book=book, branch=branches[0]) for book in books]
        people = [make_borrower(), make_borrower(), make_borrower(excluded_from_statistics=True)]
        for number, (what, who, where) in enumerate(loans):
            at = datetime(2024, 1, 1, tzinfo=UTC) + number * DAY
            about = {"copy": copies[what], "borrower": people[who], "branch": branches[where]}
            loan = make_loan(borrowed_at=at, returned_at=at, **about)
            LoanEvent.objects.create(kind="checkout", occurred_at=at, book=books[what], loan=loan, **about)
        refresh_statistics(now=NOW)
        if anonymised:
            anonymise_loans(now=NOW + 3000 * DAY)
            refresh_statistics(now=NOW)
        counted = Counter(books[what].pk for what, who, _ in loans if who != 2)
        expected = [(pk, number) for pk, number in counted.items() if number >= 5]
        expected.sort(key=lambda pair: (-pair[1], pair[0]))
        found = most_borrowed(scope=ALL, limit=3)
        assert [(row.book.pk, row.checkouts) for row in found] == expected[:3]
        checkouts = Counter(books[what].pk for what, _, _ in loans)
        assert {use.pk for use in rarely_borrowed(scope=ALL)} == {pk for pk, n in checkouts.items() if n < 5}
        assert {book.pk for book in never_borrowed(scope=ALL)} == {
            book.pk for book in books if not checkouts[book.pk]
        }
        assert not never_borrowed(scope=Scope(ALL.start, ALL.end, branches[1].pk)).exists()


@pytest.mark.django_db
def test_category_use_and_age():
    def year(**places):
        return Scope(ALL.start, ALL.end, **places)  # a new scope, because scopes cache queries

    category = make_category()
    book = make_book(category=category, year=2001)
    unused = make_book(category=category, year=2011)
    copies = [make_copy(book=book), make_copy(book=book), make_copy(book=unused)]
    make_copy(book=make_book(category=category, year=1900), status="withdrawn")
    there = make_branch()
    make_copy(book=unused, branch=there)
    undated = make_copy(book=make_book(category=category), branch=there)
    for number in range(6):
        LoanEvent.objects.create(kind="checkout", occurred_at=NOW, book=book, copy=copies[number % 2])
    refresh_statistics(now=NOW)
    use = use_by_category(scope=year())[category.pk]
    assert (use.copies, use.checkouts, use.titles, use.never_borrowed, use.mean_year) == (5, 6, 3, 2, 2006)
    assert use.turnover == 6 / 5
    assert titles_by_decade(scope=year()) == {2000: (1, 1), 2010: (1, 0), None: (1, 0)}
    use = use_by_category(scope=year(branch=there.pk, category=category.pk))[category.pk]
    assert (use.copies, use.checkouts, use.titles, use.never_borrowed, use.mean_year) == (2, 0, 2, 2, 2011)
    # Changes of the holdings count from the next refresh on.
    undated.delete()
    assert use_by_category(scope=year())[category.pk].titles == 3
    refresh_statistics(now=NOW)
    assert use_by_category(scope=year())[category.pk].titles == 2


@pytest.mark.django_db
def test_purchase_suggestions_meet_holds_per_copy(settings):
    settings.HOLDS_PER_COPY, settings.POPULARITY_MIN = 2, 3
    for holds, copies in ((3, 1), (5, 0), (4, 2), (2, 0)):
        book = make_book(title=f"{holds} for {copies}")
        for position in range(holds):
            Hold.objects.create(book=book, borrower=make_borrower(), position=position + 1, placed_at=NOW)
        for _ in range(copies):
            make_copy(book=book)
        make_copy(book=book, status="lost")
    found = {suggestion.book.title: suggestion.to_buy for suggestion in purchase_suggestions(scope=ALL)}
    assert found == {"5 for 0": 3, "3 for 1": 1}
    assert total_holds_and_copies(scope=ALL) == (14, 3)


@pytest.mark.django_db
def test_weeding_candidates_and_reasons():
    def title(name, *, years, copies=1, year=None, since=2000):
        book = make_book(title=name, year=year)
        Book.objects.filter(pk=book.pk).update(created_at=datetime(since, 1, 1, tzinfo=UTC))
        for _ in range(copies):
            copy = make_copy(book=book)
        if years is not None:
            LoanEvent.objects.create(
                kind="checkout", occurred_at=NOW - timedelta(days=366 * years), book=book, copy=copy
            )
        return book

    title("borrowed recently", years=2)
    title("borrowed long ago", years=4, year=1990)
    title("never borrowed", years=None, copies=2, year=2020)
    title("new", years=None, since=2023)
    on_hold = title("on hold", years=None)
    Hold.objects.create(book=on_hold, borrower=make_borrower(), position=1, placed_at=NOW)
    title("gone", years=None, copies=0)
    refresh_statistics(now=NOW)
    books = weeding_candidates(scope=ALL, now=NOW)
    found = [
        (candidate.book.title, candidate.copies, candidate.last_borrowed, candidate.reasons)
        for candidate in with_reasons(scope=ALL, books=books, now=NOW, limit=None)
    ]
    assert found == [
        ("never borrowed", 2, None, ("unborrowed", "spare_copies")),
        ("borrowed long ago", 1, 2020, ("unborrowed", "old")),
    ]


@pytest.mark.django_db
def test_edition_is_superseded_by_later_held_edition():
    work = {"title": "On birds", "authors": "A. Hill", "language": "en"}
    editions = [
        make_book(**work | fields)
        for fields in (
            {"year": 1990},
            {"year": 2001},
            {"year": 2010},  # no longer held
            {"year": 1985, "subtitle": "Volume two"},
            {"year": 1985, "authors": "B. Marsh"},
            {"year": 1985, "language": "fr"},
            {"year": None},
        )
    ]
    Book.objects.update(created_at=datetime(2000, 1, 1, tzinfo=UTC))
    for book in editions:
        make_copy(book=book, status="lost" if book.year == 2010 else "available")
    refresh_statistics(now=NOW)
    books = weeding_candidates(scope=ALL, now=NOW)
    found = with_reasons(scope=ALL, books=books, now=NOW, limit=None)
    assert [row.book for row in found if "superseded" in row.reasons] == [editions[0]]


@pytest.mark.django_db
def test_shelf_list_is_in_shelf_order():
    branch = make_branch()
    for place, number in (("B", "1"), ("A", "2"), ("A", "1")):
        make_copy(branch=branch, shelf_location=place, call_number=number)
    make_copy(branch=branch, status="lost")
    make_copy()
    rows = shelf_list(scope=Scope(ALL.start, ALL.end, branch.pk)).values_list("shelf_location", "call_number")
    assert list(rows) == [("A", "1"), ("A", "2"), ("B", "1")]
