"""What borrowers say of titles: given, withdrawn, forgotten with nobody's loans, and heeded."""

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
from classifier.services.runs.pace import SAVING
from classifier.services.runs.parameters import checked_parameters
from library.admin_site.roles import CIRCULATION
from library.circulation.services.anonymisation import forget_loans
from library.circulation.services.erasure import erase_borrower
from library.people.models import AuditEntry, Borrower
from tests.classifier.factories import make_feedback, make_recommendation
from tests.classifier.libraries import make_library
from tests.databases import in_thread, on_postgresql, wait_until_blocked
from tests.factories import NOW, make_book, make_borrower, make_loan
from tests.logins import api, desk, make_librarian, make_user
from tests.problems import faults

LATER = NOW + timedelta(days=1)
NOT_THIS, LIKED = Feedback.Verdict.NOT_THIS, Feedback.Verdict.LIKED
FEEDBACK = "/api/v1/feedback/"


def said():
    return list(Feedback.objects.order_by("pk").values_list("borrower", "book", "verdict", "at"))


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
def test_withdrawn_it_is_gone_and_what_others_said_stays():
    feedback = make_feedback()
    same_book, same_reader = make_feedback(book=feedback.book), make_feedback(borrower=feedback.borrower)
    assert withdraw_feedback(borrower=feedback.borrower, book=feedback.book)
    assert not withdraw_feedback(borrower=feedback.borrower, book=feedback.book)
    assert set(Feedback.objects.all()) == {same_book, same_reader}


@pytest.mark.django_db
@pytest.mark.parametrize(("verdict", "stays"), [(NOT_THIS, False), (LIKED, True)])
def test_a_title_that_is_not_wanted_leaves_the_list_at_once(verdict, stays):
    row = make_recommendation()
    others = [make_recommendation(book=row.book), make_recommendation(borrower=row.borrower, rank=2)]
    give_feedback(borrower=row.borrower, book=row.book, verdict=verdict, now=NOW)
    assert set(Recommendation.objects.all()) == {*others, *([row] if stays else [])}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("retention", "months", "refused"),
    [
        ("forget", 24, True),
        ("default", 0, True),
        ("default", 24, False),
        ("keep", 0, False),
    ],
)
def test_who_is_forgotten_at_return_is_told_that_nothing_is_kept(settings, retention, months, refused):
    settings.RETENTION_MONTHS = months
    borrower, book = make_borrower(retention=retention), make_book()
    if not refused:
        give_feedback(borrower=borrower, book=book, verdict=LIKED, now=NOW)
        assert said() == [(borrower.pk, book.pk, "liked", NOW)]
        return
    with pytest.raises(FeedbackRefusedError, match="choose “keep” as borrowing history") as caught:
        give_feedback(borrower=borrower, book=book, verdict=LIKED, now=NOW)
    assert caught.value.extra == {"borrower": borrower.pk}
    assert said() == []


@pytest.mark.django_db
def test_it_stays_when_loans_are_forgotten_and_goes_with_the_borrower(settings):
    settings.RETENTION_MONTHS = 1
    old = NOW - timedelta(days=500)
    loan = make_loan(borrowed_at=old, returned_at=old)
    make_recommendation(borrower=loan.borrower)
    mine, others = make_feedback(borrower=loan.borrower), make_feedback()
    assert forget_loans(now=NOW).loans == 1
    assert not Recommendation.objects.exists()
    assert set(Feedback.objects.all()) == {mine, others}
    erase_borrower(borrower=loan.borrower, now=NOW)
    assert list(Feedback.objects.all()) == [others]


@pytest.mark.django_db
def test_what_a_borrower_does_not_want_is_in_no_list_and_the_next_title_takes_its_place():
    make_library()
    recommend(now=NOW, n=3)
    before = lists()
    reader = Borrower.objects.get(card_number="p000")
    first = before[reader.pk][0]
    Feedback.objects.create(borrower=reader, book_id=first, verdict=NOT_THIS, at=NOW)
    recommend(now=NOW, n=3)
    after = lists()
    assert len(set(after[reader.pk])) == 3
    assert first not in after[reader.pk]
    ranks = Recommendation.objects.filter(borrower=reader).order_by("rank").values_list("rank", flat=True)
    assert list(ranks) == [1, 2, 3]
    assert after | {reader.pk: None} == before | {reader.pk: None}
    withdraw_feedback(borrower=reader, book=Feedback.objects.get().book)
    recommend(now=NOW, n=3)
    assert lists() == before


@pytest.mark.django_db
def test_a_title_refused_while_lists_are_computed_is_in_none():
    make_library()
    recommend(now=NOW, n=3)
    row = Recommendation.objects.select_related("borrower", "book").first()

    def refuse(phase, done, total):
        if (phase, done) == (SAVING, 0):  # the lists are made by then
            give_feedback(borrower=row.borrower, book=row.book, verdict=NOT_THIS, now=NOW)

    recommend(now=NOW, n=3, progress=refuse)
    assert row.book_id not in lists()[row.borrower_id]
    assert len(lists()[row.borrower_id]) == 2


@on_postgresql
def test_a_title_refused_while_lists_are_written_leaves_them(database):
    make_library()
    recommend(now=NOW, n=3)
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

        recommend(now=NOW, n=3, finish=refuse)
        started[0].result()
    assert row.book_id not in lists()[row.borrower_id]


@pytest.mark.parametrize("include_borrowed", [False, True])
def test_the_pipeline_leaves_out_the_titles_excluded_of_a_borrower_alone(include_borrowed):
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
def test_feedback_gives_the_next_run_of_recommendations_something_to_do_and_no_other():
    def fingerprints():
        return {
            kind: fingerprint_of(kind=kind, parameters=checked_parameters(kind=kind, given={}), now=NOW)
            for kind in ("train", "tune", "reclassify", "recommend", "order_reviews", "draw_map")
        }

    said_of = {"borrower": make_borrower(), "book": make_book(), "now": NOW}
    before = fingerprints()
    for verdict in (LIKED, NOT_THIS):
        give_feedback(verdict=verdict, **said_of)
        after = fingerprints()
        assert {kind for kind in after if after[kind] != before[kind]} == {"recommend"}
        before = after


@pytest.mark.django_db
class TestApi:
    def test_a_librarian_gives_it_reads_it_and_withdraws_it(self):
        borrower, book = make_borrower(card_number="P1"), make_book(title="Optics")
        client = api(make_librarian())
        given = {"borrower": borrower.pk, "book": book.pk, "verdict": "not_this"}
        answer = client.post(FEEDBACK, given, format="json")
        feedback = Feedback.objects.get()
        row = {
            "id": feedback.pk,
            "borrower": borrower.pk,
            "card_number": "P1",
            "book": book.pk,
            "title": "Optics",
            "verdict": "not_this",
            "at": answer.json()["at"],
        }
        assert (answer.status_code, answer.json()) == (201, row)
        assert client.get(FEEDBACK).json()["results"] == [row]
        assert client.get(f"{FEEDBACK}{feedback.pk}/").json() == row
        gone = client.delete(f"{FEEDBACK}{feedback.pk}/")
        assert (gone.status_code, gone.content) == (204, b"")
        assert said() == []
        assert client.delete(f"{FEEDBACK}{feedback.pk}/").status_code == 404

    def test_said_again_it_is_the_same_row(self):
        feedback = make_feedback()
        given = {"borrower": feedback.borrower_id, "book": feedback.book_id, "verdict": "liked"}
        answer = api(make_librarian()).post(FEEDBACK, given, format="json")
        assert (answer.status_code, answer.json()["id"]) == (201, feedback.pk)
        assert Feedback.objects.get().verdict == "liked"

    @pytest.mark.parametrize(
        ("field", "value"), [("verdict", "hated"), ("book", 0), ("borrower", 0), ("borrower", None)]
    )
    def test_what_makes_no_sense_is_refused_by_its_field(self, field, value):
        given = {"borrower": make_borrower().pk, "book": make_book().pk, "verdict": "liked"}
        answer = api(make_librarian()).post(FEEDBACK, given | {field: value}, format="json")
        assert (answer.status_code, list(faults(answer.json()))) == (400, [f"/{field}"])
        assert said() == []

    def test_who_is_forgotten_at_return_is_a_conflict_and_nothing_is_written(self):
        borrower = make_borrower(retention="forget")
        given = {"borrower": borrower.pk, "book": make_book().pk, "verdict": "liked"}
        answer = api(make_librarian()).post(FEEDBACK, given, format="json")
        assert answer.status_code == 409
        assert "Nothing is remembered of what this borrower reads" in answer.json()["detail"]
        assert said() == []

    def test_it_is_filtered_by_borrower_card_book_and_verdict(self):
        mine = make_feedback(borrower=make_borrower(card_number="P1"))
        make_feedback(verdict="liked")
        client = api(make_librarian())
        queries = (f"borrower={mine.borrower_id}", "card_number=P1", f"book={mine.book_id}")
        for query in (*queries, "verdict=not_this"):
            assert [row["id"] for row in client.get(f"{FEEDBACK}?{query}").json()["results"]] == [mine.pk]

    def test_the_desk_neither_reads_nor_gives_nor_withdraws_it(self):
        feedback = make_feedback()
        given = {"borrower": feedback.borrower_id, "book": feedback.book_id, "verdict": "liked"}
        client = api(make_user(CIRCULATION))
        assert client.get(FEEDBACK).status_code == 403
        assert client.post(FEEDBACK, given, format="json").status_code == 403
        assert client.delete(f"{FEEDBACK}{feedback.pk}/").status_code == 403
        assert said() == [(feedback.borrower_id, feedback.book_id, "not_this", NOW)]
        assert [entry.action for entry in AuditEntry.objects.all()] == ["refused"] * 3

    def test_every_look_and_change_is_written_down(self):
        borrower, book = make_borrower(), make_book()
        client = api(make_librarian())
        key = client.post(
            FEEDBACK, {"borrower": borrower.pk, "book": book.pk, "verdict": "liked"}, format="json"
        ).json()["id"]
        client.get(FEEDBACK)
        client.get(f"{FEEDBACK}{key}/")
        client.delete(f"{FEEDBACK}{key}/")
        rows = AuditEntry.objects.order_by("pk").values_list("action", "object_type", "object_key", "listed")
        assert list(rows) == [
            ("changed", "classifier.feedback", str(key), ""),
            ("searched", "classifier.feedback", "", f" {key} "),
            ("viewed", "classifier.feedback", str(key), ""),
            ("changed", "classifier.feedback", str(key), ""),
        ]


@pytest.mark.django_db
class TestAdmin:
    LIST = "/admin/classifier/feedback/"

    def test_a_librarian_finds_it_by_card_and_reads_it_in_words(self):
        mine = make_feedback(borrower=make_borrower(card_number="CARD-1"), book=make_book(title="Optics"))
        make_feedback(borrower=make_borrower(card_number="CARD-2"))
        page = desk(make_librarian()).get(f"{self.LIST}?q=CARD-1").content.decode()
        assert "CARD-1" in page
        assert "not this" in page
        assert "CARD-2" not in page
        assert AuditEntry.objects.get().listed == f" {mine.pk} "

    def test_deleting_is_withdrawing_and_is_written_down(self):
        feedback = make_feedback()
        answer = desk(make_librarian()).post(f"{self.LIST}{feedback.pk}/delete/", {"post": "yes"})
        assert answer.status_code == 302
        assert said() == []
        entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.object_key) == ("changed", str(feedback.pk))

    def test_a_book_with_feedback_can_be_deleted_by_those_who_keep_the_catalogue(self):
        feedback = make_feedback()
        answer = desk(make_librarian()).post(
            f"/admin/catalogue/book/{feedback.book_id}/delete/", {"post": "yes"}
        )
        assert answer.status_code == 302
        assert said() == []
