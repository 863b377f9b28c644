"""Batches and possibly misfiled books in the admin and in the API."""

import pytest

from classifier.models import Misfiled, Reclassification, Run
from classifier.services import jobs
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import make_batch, make_change, make_misfiled
from tests.factories import NOW, make_book, make_category
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db

BATCHES = "/admin/classifier/reclassification/"
CHANGES = "/admin/classifier/change/"
MISFILED = "/admin/classifier/misfiled/"


def page_of(batch):
    return f"{CHANGES}?reclassification__id__exact={batch.pk}"


@pytest.fixture
def batch():
    """A batch that moves three books one way and one the other."""
    made = make_batch(books=5, changed={"moved": 4})
    one, two = make_category(notation="one"), make_category(notation="two")
    for source, target in ((one, two), (one, two), (one, two), (two, one)):
        make_change(
            reclassification=made, kind="moved", from_category=source, from_probability=0.6,
            from_abstained=False, to_category=target,
        )  # fmt: skip
    return made


def test_the_list_leads_to_the_page_of_a_batch(batch):
    page = desk(make_librarian()).get(BATCHES).content.decode()
    assert f'href="{CHANGES}?reclassification__id__exact={batch.pk}"' in page
    assert "another category: 4" in page


def test_the_page_shows_the_flows_first_and_then_each_change(batch):
    other = make_change()
    page = desk(make_librarian()).get(page_of(batch)).content.decode()
    assert page.index("one → two: 3") < page.index("two → one: 1") < page.index("one (60%)")
    assert page.count("one (60%)") == 3
    assert other.book.title not in page
    assert "5 books were classified." in page


def test_of_many_flows_the_largest_are_drawn_and_the_rest_counted():
    batch = make_batch()
    for _ in range(14):
        make_change(reclassification=batch)
    page = desk(make_librarian()).get(page_of(batch)).content.decode()
    assert page.count("<path d=") == 12
    assert "2 smaller ones (2 books)" in " ".join(page.split())


def test_a_batch_that_moves_nothing_says_so():
    page = desk(make_librarian()).get(page_of(make_batch())).content.decode()
    assert "No book goes from one category to another." in page


def test_selected_changes_are_accepted(batch):
    chosen = list(batch.changes.values_list("pk", flat=True)[:2])
    given = {"action": "accept_selected", "_selected_action": chosen}
    page = desk(make_librarian()).post(page_of(batch), given, follow=True).content.decode()
    assert "2 books filed." in page
    assert Book.objects.filter(category_source="model").count() == 2
    assert "delete_selected" not in page


def test_a_batch_is_undone_and_says_what_stayed(batch):
    change = batch.changes.first()
    Book.objects.filter(pk=change.book_id).update(category=change.to_category, category_source="librarian")
    client = desk(make_librarian())
    page = client.post(f"{BATCHES}{batch.pk}/undo/", follow=True).content.decode()
    run = Run.objects.get()
    assert f"{run} is queued." in page
    assert jobs.work(run_id=run.pk).result == {
        "batch": batch.pk, "books": 3, "decided": 1, "classified_again": 0
    }  # fmt: skip
    page = client.get(page_of(batch)).content.decode()
    assert "filed by a person since: <strong>1</strong>" in page
    assert "Undo this batch" not in page
    batch.refresh_from_db()
    assert batch.undone_by.username == "librarian"
    again = client.post(f"{BATCHES}{batch.pk}/undo/", follow=True).content.decode()
    assert f"Reclassification {batch.pk} is undone already." in again


def test_who_may_only_look_is_offered_nothing(batch):
    make_misfiled()
    client = desk(make_user(ANALYSTS))
    assert "Undo this batch" not in client.get(page_of(batch)).content.decode()
    page = client.get(MISFILED, follow=True).content.decode()
    assert "Move there" not in page
    assert "It is right" not in page


def test_a_misfiled_book_is_moved_or_said_to_be_right_and_then_not_listed():
    moved, right = make_misfiled(), make_misfiled()
    client = desk(make_librarian())
    page = client.get(MISFILED, follow=True).content.decode()
    assert page.count("Move there") == page.count("It is right") == 2
    client.post(f"{MISFILED}{moved.pk}/move/")
    moved.book.refresh_from_db()
    assert (moved.book.category, moved.book.category_source) == (moved.category, "librarian")
    client.post(f"{MISFILED}{right.pk}/dismiss/")
    page = client.get(MISFILED, follow=True).content.decode()
    assert "Move there" not in page
    assert Misfiled.objects.get().dismissed_by.username == "librarian"
    assert right.book.title in client.get(f"{MISFILED}?settled=right").content.decode()
    gone = client.post(f"{MISFILED}{right.pk}/dismiss/", follow=True).content.decode()
    assert "This book was settled meanwhile." in gone


def test_the_pages_speak_chinese(batch):
    make_misfiled()
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    for address, words in (
        (BATCHES, ("重新分类", "已应用")),
        (page_of(batch), ("撤销此批次", "类目之间的流向", "改为其他类目")),
        (f"{MISFILED}", ("可能归错类的图书", "移到该类目", "归类无误")),
    ):
        page = client.get(address).content.decode()
        for word in words:
            assert word in page


def test_the_api_lists_undoes_and_accepts(batch):
    client = api(make_librarian())
    (row,) = client.get("/api/v1/reclassifications/").json()["results"]
    assert (row["id"], row["state"], row["changed"]) == (batch.pk, "applied", {"moved": 4})
    changes = client.get(f"/api/v1/changes/?reclassification={batch.pk}").json()["results"]
    assert len(changes) == 4
    address = f"/api/v1/reclassifications/{batch.pk}/"
    answer = client.post(f"{address}accept/", {"changes": [changes[0]["id"]]}, format="json")
    assert (answer.status_code, answer.json()) == (200, {"filed": 1, "decided": 0, "unsure": 0})
    assert client.post(f"{address}accept/", {}, format="json").json()["filed"] == 3
    answer = client.post(f"{address}undo/")
    assert (answer.status_code, answer.json()["parameters"]) == (202, {"batch": batch.pk})
    jobs.work(run_id=answer.json()["id"])
    assert client.get(address).json()["state"] == "undone"
    assert not Book.objects.filter(category_source="model").exists()
    assert client.post(f"{address}undo/").status_code == 409
    assert client.post(f"{address}accept/", {}, format="json").status_code == 409


def test_the_api_lists_misfiled_books_with_reasons_and_settles_them():
    row, other = make_misfiled(evidence={"decision": 1.5}), make_misfiled(dismissed_at=NOW)
    client = api(make_librarian())
    (found,) = client.get("/api/v1/misfiled/?dismissed=false").json()["results"]
    assert (found["id"], found["evidence"]) == (row.pk, {"decision": 1.5})
    (found,) = client.get("/api/v1/misfiled/?dismissed=true").json()["results"]
    assert found["id"] == other.pk
    assert client.post(f"/api/v1/misfiled/{row.pk}/move/").json()["category_source"] == "librarian"
    assert client.post(f"/api/v1/misfiled/{other.pk}/dismiss/").status_code == 409


@pytest.mark.parametrize("address", ["reclassifications", "changes", "misfiled"])
def test_readers_without_a_role_see_none_of_it(address):
    client = api(make_user("catalogue clients"))
    assert client.get(f"/api/v1/{address}/").status_code == 403


def test_deleting_a_book_takes_its_rows_along(batch):
    change = batch.changes.first()
    make_misfiled(book=make_book(category=make_category()))
    desk(make_librarian()).post(f"/admin/catalogue/book/{change.book_id}/delete/", {"post": "yes"})
    assert not Book.objects.filter(pk=change.book_id).exists()
    assert Reclassification.objects.get().changes.count() == 3
