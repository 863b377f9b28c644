"""A borrower who is excluded from statistics leaves no trace in any result."""

from collections import Counter, defaultdict
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from classifier.models import Feedback, ItemNeighbours, Recommendation
from classifier.pipeline.config import Config
from classifier.pipeline.recommender.recommender import Recommender
from classifier.selectors.records import anonymised_loan_counts, loans
from classifier.services.classification.staleness import neighbourhoods
from classifier.services.fingerprints import fingerprint_of
from classifier.services.recommendation import retention_report
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from classifier.services.runs.parameters import complete_parameters
from library.circulation.models import CoBorrowing, ExcludedLoanCount, Loan, LoanEvent
from library.circulation.services.anonymisation import anonymise_loans
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.erasure import erase_borrower
from library.people.models import Borrower
from library.people.services.borrowers import save_borrower
from tests.classifier.factories import make_feedback, make_recommendation
from tests.classifier.libraries import make_library
from tests.databases import both_databases, rolled_back
from tests.factories import NOW, make_book, make_borrower, make_copy, make_loan, make_policy

DAY = timedelta(days=1)
BOOKS = [f"b{number}" for number in range(4)]
OUT = "p0"
"""The card of who is left out."""


@pytest.fixture(autouse=True)
def two_are_enough(settings):
    settings.CO_BORROWING_MIN = 2
    settings.RETENTION_MONTHS = 12


def leave_out(borrower, left_out=True):
    borrower.excluded_from_statistics = left_out
    save_borrower(borrower=borrower)


def contents():
    """What the pipeline is given, whatever the borrowers' numbers; the books in one order."""
    table, borrowers = loans()
    cards = dict(Borrower.objects.values_list("pk", "card_number"))
    known, synthetic = defaultdict(list), defaultdict(list)
    for book, borrower, at in zip(table.book, table.borrower, table.borrowed_at.tolist(), strict=True):
        is_identified = borrower < table.first_synthetic
        whose = known[cards[borrowers[borrower]]] if is_identified else synthetic[int(borrower)]
        whose.append((table.book_ids[book], at))
    popularity = dict(zip(table.book_ids, table.popularity.tolist(), strict=True))
    return known, Counter(tuple(pair) for pair in synthetic.values()), popularity, neighbourhoods(table)


def nearest_titles():
    table, _borrowers = loans()
    fitted = Recommender(settings=Config().recommend).fit(table, book_ids=BOOKS, content={})
    owner, other, parts = fitted.next_titles_.of(np.arange(len(BOOKS)))
    found = np.zeros((len(BOOKS), len(BOOKS)))
    found[owner, other] = parts.sum(axis=1)
    return np.round(found, 3).tolist(), fitted.popular_titles_.tolist()


def library_of(rows, *, without):
    """Save books, borrowers and loans: (borrower, book, days ago it came back)."""
    books = [make_book(control_number=number) for number in BOOKS]
    people = [
        make_borrower(card_number=f"p{number}", excluded_from_statistics=f"p{number}" == OUT)
        for number in range(4)
    ]
    for who, what, days in rows:
        if not (without and people[who].card_number == OUT):
            at = NOW - days * DAY
            copy = make_copy(book=books[what])
            make_loan(borrower=people[who], copy=copy, borrowed_at=at - DAY, returned_at=at)


def seen_as_time_goes_by():
    """What is learned before anything is forgotten, when the older half is, and when all is."""
    found = [(contents(), nearest_titles())]
    for years in (0, 3):
        anonymise_loans(now=NOW + 366 * years * DAY)
        found.append((contents(), nearest_titles()))
    return found


@pytest.mark.thorough
@pytest.mark.django_db
@hypothesis_settings(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1, 500])), min_size=1, max_size=16
    )
)
def test_excluded_borrower_leaves_no_trace_in_the_input(rows):
    found = []
    for without in (False, True):
        with rolled_back():
            library_of(rows, without=without)
            found.append(seen_as_time_goes_by())
            assert not Loan.objects.filter(borrower__isnull=False).exists()
    assert found[0] == found[1]


@both_databases
def test_anonymised_loans_of_excluded_borrowers_do_not_count(database):
    book, other = make_book(control_number="book"), make_book(control_number="other")
    for days in (500, 800):
        borrower = make_borrower(excluded_from_statistics=True)
        for title in (book, book, other):
            copy = make_copy(book=title)
            at = NOW - days * DAY
            make_loan(borrower=borrower, copy=copy, borrowed_at=at, returned_at=at)
    make_loan(book=book, borrowed_at=NOW - 900 * DAY, returned_at=NOW - 900 * DAY)
    anonymise_loans(now=NOW - 400 * DAY)
    assert dict(ExcludedLoanCount.objects.values_list("book__control_number", "count")) == {
        "book": 2,
        "other": 1,
    }
    anonymise_loans(now=NOW)
    assert dict(ExcludedLoanCount.objects.values_list("book__control_number", "count")) == {
        "book": 4,
        "other": 2,
    }
    assert anonymised_loan_counts() == [("book", 1)]
    assert not CoBorrowing.objects.exists()


@pytest.mark.django_db
def test_anonymisation_at_return_and_erasure_do_not_count():
    make_policy()
    forgetful = make_borrower(excluded_from_statistics=True, retention="anonymise")
    loan = checkout(copy=make_copy(), borrower=forgetful, branch=None, now=NOW)
    assert checkin(copy=loan.copy, branch=None, now=NOW + DAY).loan.borrower is None
    leaver = make_loan(borrower=make_borrower(excluded_from_statistics=True), returned_at=NOW).borrower
    erase_borrower(borrower=leaver, now=NOW)
    assert anonymised_loan_counts() == []
    assert len(loans()[0].book_ids) == 0
    # The desk's own counts are no statistic of borrowers.
    loan.copy.refresh_from_db()
    assert loan.copy.checkouts == 1
    assert LoanEvent.objects.filter(kind="checkout", book=loan.copy.book).count() == 1


@pytest.mark.django_db
def test_anonymised_loan_does_not_show_the_exclusion():
    at = NOW - 500 * DAY
    loans = [
        make_loan(borrower=make_borrower(excluded_from_statistics=left_out), borrowed_at=at, returned_at=at)
        for left_out in (False, True)
    ]
    anonymise_loans(now=NOW)
    columns = [field.attname for field in Loan._meta.fields if field.attname not in ("id", "copy_id")]
    one, other = (Loan.objects.filter(pk=loan.pk).values(*columns).get() for loan in loans)
    assert one == other


@pytest.mark.django_db
def test_returning_borrower_counts_with_stored_loans():
    borrower = make_borrower(excluded_from_statistics=True)
    old = make_loan(borrower=borrower, borrowed_at=NOW - 500 * DAY, returned_at=NOW - 500 * DAY)
    known = make_loan(borrower=borrower, returned_at=NOW)
    anonymise_loans(now=NOW)
    borrower.refresh_from_db()
    leave_out(borrower, left_out=False)
    table, borrowers = loans()
    assert (list(table.book_ids), borrowers) == ([known.copy.book.control_number], [borrower.pk])
    assert old.copy.book.control_number not in table.book_ids


@pytest.mark.django_db
def test_rare_pair_is_deleted_after_an_exclusion():
    one, other = make_book(), make_book()
    people = [make_borrower() for _ in range(2)]
    for borrower, days in zip(people, (1, 500), strict=True):
        for book in (one, other):
            at = NOW - days * DAY
            make_loan(borrower=borrower, copy=make_copy(book=book), borrowed_at=at, returned_at=at)
    anonymise_loans(now=NOW)
    assert CoBorrowing.objects.get().count == 1
    leave_out(people[0])
    anonymise_loans(now=NOW)
    assert not CoBorrowing.objects.exists()


@pytest.mark.django_db
def test_exclusion_deletes_recommendations_and_keeps_feedback():
    mine, others = make_recommendation(), make_recommendation()
    said = make_feedback(borrower=mine.borrower)
    save_borrower(borrower=mine.borrower)
    assert Recommendation.objects.count() == 2
    leave_out(mine.borrower)
    assert list(Recommendation.objects.all()) == [others]
    assert list(Feedback.objects.all()) == [said]


@pytest.mark.django_db
def test_excluded_borrower_leaves_no_trace_in_the_output():
    make_library()
    borrower = Borrower.objects.get(card_number="p000")
    leave_out(borrower)

    def kept():
        recommend(JobContext(now=NOW))
        links = ItemNeighbours.objects.order_by("book").values_list("book", "following", "similar")
        lists = Recommendation.objects.order_by("borrower", "rank")
        return list(links), list(lists.values_list("borrower", "rank", "book", "score", "sources"))

    left_out = kept()
    assert borrower.pk not in {row[0] for row in left_out[1]}
    Loan.objects.filter(borrower=borrower).delete()
    assert kept() == left_out


@pytest.mark.django_db
def test_exclusion_during_the_run_removes_the_list():
    make_library()
    leaver = Borrower.objects.get(card_number="p000")
    recommend(JobContext(now=NOW, progress=lambda phase, done, total: leave_out(leaver)))
    assert Recommendation.objects.exists()
    assert not Recommendation.objects.filter(borrower=leaver).exists()


@pytest.mark.django_db
def test_retention_report_ignores_excluded_loans():
    out = make_borrower(excluded_from_statistics=True)
    make_loan(borrower=out, returned_at=NOW - DAY)
    make_loan(returned_at=NOW)
    table, _borrowers = loans()
    assert retention_report._returned(table).tolist() == [NOW.timestamp()]


@pytest.mark.django_db
def test_excluded_loan_keeps_the_fingerprint():
    make_loan()
    borrower = make_borrower(excluded_from_statistics=True)

    def fingerprint():
        given = complete_parameters(kind="train", parameters={})
        return fingerprint_of(kind="train", parameters=given, now=NOW)

    before = fingerprint()
    at = NOW - 500 * DAY
    make_loan(borrower=borrower, copy=Loan.objects.get().copy, borrowed_at=at, returned_at=at)
    assert fingerprint() == before
    anonymise_loans(now=NOW)
    assert fingerprint() == before
