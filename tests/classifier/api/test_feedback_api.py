"""Feedback over the API and in the admin."""

import pytest

from classifier.models import Feedback
from library.admin_site.roles import CIRCULATION
from library.people.models import AuditEntry
from tests.classifier.factories import make_feedback
from tests.factories import NOW, make_book, make_borrower
from tests.logins import api, desk, make_librarian, make_user
from tests.problems import errors_by_place

FEEDBACK = "/api/v1/feedback/"


def said():
    return list(Feedback.objects.order_by("pk").values_list("borrower", "book", "verdict", "created_at"))


@pytest.mark.django_db
class TestApi:
    def test_librarian_gives_reads_and_withdraws(self):
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
            "created_at": answer.json()["created_at"],
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
        assert (answer.status_code, list(errors_by_place(answer.json()))) == (400, [f"/{field}"])
        assert said() == []

    def test_anonymised_borrower_is_409(self):
        borrower = make_borrower(retention="anonymise")
        given = {"borrower": borrower.pk, "book": make_book().pk, "verdict": "liked"}
        answer = api(make_librarian()).post(FEEDBACK, given, format="json")
        assert answer.status_code == 409
        assert "The borrowing history of this borrower is not kept" in answer.json()["detail"]
        assert said() == []

    def test_filters(self):
        mine = make_feedback(borrower=make_borrower(card_number="P1"))
        make_feedback(verdict="liked")
        client = api(make_librarian())
        queries = (f"borrower={mine.borrower_id}", "card_number=P1", f"book={mine.book_id}")
        for query in (*queries, "verdict=not_this"):
            assert [row["id"] for row in client.get(f"{FEEDBACK}?{query}").json()["results"]] == [mine.pk]

    def test_circulation_role_has_no_access(self):
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
        rows = [
            (entry.action, entry.object_type, entry.object_key, " ".join(entry.record_keys))
            for entry in AuditEntry.objects.order_by("pk")
        ]
        assert rows == [
            ("changed", "classifier.feedback", str(key), ""),
            ("searched", "classifier.feedback", "", str(key)),
            ("viewed", "classifier.feedback", str(key), ""),
            ("changed", "classifier.feedback", str(key), ""),
        ]


@pytest.mark.django_db
class TestAdmin:
    LIST = "/admin/classifier/feedback/"

    def test_search_by_card(self):
        mine = make_feedback(borrower=make_borrower(card_number="CARD-1"), book=make_book(title="Optics"))
        make_feedback(borrower=make_borrower(card_number="CARD-2"))
        page = desk(make_librarian()).get(f"{self.LIST}?q=CARD-1").content.decode()
        assert "CARD-1" in page
        assert "Not interested" in page
        assert "CARD-2" not in page
        assert AuditEntry.objects.get().record_keys == [str(mine.pk)]

    def test_deleting_is_withdrawing_and_is_written_down(self):
        feedback = make_feedback()
        answer = desk(make_librarian()).post(f"{self.LIST}{feedback.pk}/delete/", {"post": "yes"})
        assert answer.status_code == 302
        assert said() == []
        entry = AuditEntry.objects.latest("pk")
        assert (entry.action, entry.object_key) == ("changed", str(feedback.pk))

    def test_book_with_feedback_can_be_deleted(self):
        feedback = make_feedback()
        answer = desk(make_librarian()).post(
            f"/admin/catalogue/book/{feedback.book_id}/delete/", {"post": "yes"}
        )
        assert answer.status_code == 302
        assert said() == []
