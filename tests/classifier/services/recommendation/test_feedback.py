"""Feedback of borrowers: given, withdrawn, and used by recommendations."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest

from classifier.errors import FeedbackRefusedError
from classifier.models import Feedback, Recommendation
from classifier.pipeline.config import Config
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import LoanTable
from classifier.services.fingerprints import fingerprint_of
from classifier.services.recommendation.feedback import give_feedback, withdraw_feedback
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from classifier.services.runs.parameters import complete_parameters
from classifier.services.runs.phases import SAVING
from library.circulation.services.anonymisation import anonymise_loans
from library.circulation.services.erasure import erase_borrower
from library.people.models import Borrower
from tests.classifier.factories import make_feedback, make_recommendation
from tests.classifier.libraries import make_library
from tests.databases import in_thread, on_postgresql, wait_until_blocked
from tests.factories import NOW, make_book, make_borrower, make_loan

LATER = NOW + timedelta(days=1)


NOT_THIS, LIKED = Feedback.Verdict.NOT_THIS, Feedback.Verdict.LIKED


def said():
    return list(Feedback.objects.order_by("pk").values_list("borrower", "book", "verdict", "created_at"))


def lists():
    """The recommended titles by borrower."""
    found = {}
    for borrower, book in Recommendation.objects.order_by("rank").values_list("borrower", "book"):
        found.setdefault(borrower, []).append(book)
    return found


@pytest.mark.django_db
def test_the_last_word_on_a_title_counts():
    borrower, book, other = make_borrower(), make_book(), make_book()
    give_feedback(borrower=borrower, book=book, verdict=NOT_THIS, now=NOW)
    give_feedback(borrower=borrower, book=other, verdict=NOT_THIS, now=NOW)
    give_feedback(borrower=borrower, book=book, verdict=LIKED, now=LATER)
    assert said() == [(borrower.pk, book.pk, "liked", LATER), (borrower.pk, other.pk, "not_this", NOW)]


@pytest.mark.django_db
def test_withdrawal_deletes_own_feedback_only():
    feedback = make_feedback()
    same_book, same_reader = make_feedback(book=feedback.book), make_feedback(borrower=feedback.borrower)
    assert withdraw_feedback(borrower=feedback.borrower, book=feedback.book)
    assert not withdraw_feedback(borrower=feedback.borrower, book=feedback.book)
    assert set(Feedback.objects.all()) == {same_book, same_reader}


@pytest.mark.django_db
@pytest.mark.parametrize(("verdict", "stays"), [(NOT_THIS, False), (LIKED, True)])
def test_unwanted_title_leaves_the_list(verdict, stays):
    row = make_recommendation()
    others = [make_recommendation(book=row.book), make_recommendation(borrower=row.borrower, rank=2)]
    give_feedback(borrower=row.borrower, book=row.book, verdict=verdict, now=NOW)
    assert set(Recommendation.objects.all()) == {*others, *([row] if stays else [])}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("retention", "months", "refused"),
    [
        ("anonymise", 24, True),
        ("default", 0, True),
        ("default", 24, False),
        ("keep", 0, False),
    ],
)
def test_feedback_is_refused_if_loans_are_anonymised(settings, retention, months, refused):
    settings.RETENTION_MONTHS = months
    borrower, book = make_borrower(retention=retention), make_book()
    if not refused:
        give_feedback(borrower=borrower, book=book, verdict=LIKED, now=NOW)
        assert said() == [(borrower.pk, book.pk, "liked", NOW)]
        return
    with pytest.raises(FeedbackRefusedError, match="Set “borrowing history” to “Keep”") as caught:
        give_feedback(borrower=borrower, book=book, verdict=LIKED, now=NOW)
    assert caught.value.extra == {"borrower": borrower.pk}
    assert said() == []


@pytest.mark.django_db
def test_feedback_outlives_loans(settings):
    settings.RETENTION_MONTHS = 1
    old = NOW - timedelta(days=500)
    loan = make_loan(borrowed_at=old, returned_at=old)
    make_recommendation(borrower=loan.borrower)
    mine, others = make_feedback(borrower=loan.borrower), make_feedback()
    assert anonymise_loans(now=NOW).loans == 1
    assert not Recommendation.objects.exists()
    assert set(Feedback.objects.all()) == {mine, others}
    erase_borrower(borrower=loan.borrower, now=NOW)
    assert list(Feedback.objects.all()) == [others]


@pytest.mark.django_db
def test_unwanted_title_is_replaced_by_the_next():
    make_library()
    recommend(JobContext(now=NOW), n=3)
    before = lists()
    reader = Borrower.objects.get(card_number="p000")
    first = before[reader.pk][0]
    Feedback.objects.create(borrower=reader, book_id=first, verdict=NOT_THIS, created_at=NOW)
    recommend(JobContext(now=NOW), n=3)
    after = lists()
    assert len(set(after[reader.pk])) == 3
    assert first not in after[reader.pk]
    ranks = Recommendation.objects.filter(borrower=reader).order_by("rank").values_list("rank", flat=True)
    assert list(ranks) == [1, 2, 3]
    assert after | {reader.pk: None} == before | {reader.pk: None}
    withdraw_feedback(borrower=reader, book=Feedback.objects.get().book)
    recommend(JobContext(now=NOW), n=3)
    assert lists() == before


@pytest.mark.django_db
def test_title_refused_during_computation_is_excluded():
    make_library()
    recommend(JobContext(now=NOW), n=3)
    row = Recommendation.objects.select_related("borrower", "book").first()

    def refuse(phase, done, total):
        if (phase, done) == (SAVING, 0):  # the lists are computed by then
            give_feedback(borrower=row.borrower, book=row.book, verdict=NOT_THIS, now=NOW)

    recommend(JobContext(now=NOW, progress=refuse), n=3)
    assert row.book_id not in lists()[row.borrower_id]
    assert len(lists()[row.borrower_id]) == 2


@on_postgresql
def test_title_refused_during_writing_is_removed(database):
    make_library()
    recommend(JobContext(now=NOW), n=3)
    row = Recommendation.objects.select_related("borrower", "book").first()
    with ThreadPoolExecutor(1) as threads:
        started = []

        def refuse(result):
            started.append(
                in_thread(
                    threads,
                    lambda: give_feedback(borrower=row.borrower, book=row.book, verdict=NOT_THIS, now=NOW),
                )
            )
            wait_until_blocked(*started)

        recommend(JobContext(now=NOW, finish=refuse), n=3)
        started[0].result()
    assert row.book_id not in lists()[row.borrower_id]


@pytest.mark.parametrize("include_borrowed", [False, True])
def test_unwanted_titles_are_excluded_per_borrower(include_borrowed):
    table = LoanTable(
        book_ids=["a", "b", "c"],
        book=np.array([0, 1, 0, 2, 0], np.int32),
        borrower=np.array([0, 0, 1, 1, 2], np.int32),
        borrowed_at=np.zeros(5, np.int64),
    )
    settings = Config().with_settings(["recommend.min_borrowers=1"]).recommend
    fitted = Recommender(settings=settings).fit(table, book_ids=["a", "b", "c"], content={})

    def found(excluded):
        rows = fitted.recommend(n=3, include_borrowed=include_borrowed, unwanted=excluded)
        return {(row.borrower, row.book) for row in rows}

    everything = found({})
    assert {(2, "b"), (2, "c"), (0, "c")} <= everything
    assert found({2: [1], 0: []}) == everything - {(2, "b")}
    assert found({2: [0, 1, 2]}) == {row for row in everything if row[0] != 2}


@pytest.mark.django_db
def test_feedback_changes_only_the_recommend_fingerprint():
    def fingerprints():
        return {
            kind: fingerprint_of(kind=kind, parameters=complete_parameters(kind=kind, parameters={}), now=NOW)
            for kind in ("train", "tune", "reclassify", "recommend", "order_reviews", "draw_map")
        }

    said_of = {"borrower": make_borrower(), "book": make_book(), "now": NOW}
    before = fingerprints()
    for verdict in (LIKED, NOT_THIS):
        give_feedback(verdict=verdict, **said_of)
        after = fingerprints()
        assert {kind for kind in after if after[kind] != before[kind]} == {"recommend"}
        before = after
