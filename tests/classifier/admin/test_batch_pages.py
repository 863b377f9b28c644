"""Batches and possible misfiles in the admin and in the API."""

import pytest

from classifier.models import Batch, Misfiled, Run
from classifier.services import jobs
from library.admin_site.roles import ANALYSTS
from library.catalogue.models import Book
from tests.classifier.factories import make_batch, make_change, make_misfiled
from tests.factories import NOW, make_book, make_category
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db

BATCHES = "/admin/classifier/batch/"
CHANGES = "/admin/classifier/change/"
MISFILED = "/admin/classifier/misfiled/"


def changes_url(batch):
    return f"{CHANGES}?batch__id__exact={batch.pk}"


@pytest.fixture
def batch():
    """A batch that moves three books in one direction and one in the other."""
    batch = make_batch(books=5, changed={"moved": 4})
    one, two = make_category(notation="one"), make_category(notation="two")
    for source, target in ((one, two), (one, two), (one, two), (two, one)):
        make_change(
            batch=batch, kind="moved", from_category=source, from_probability=0.6,
            from_abstained=False, to_category=target,
        )  # fmt: skip
    return batch


def test_list_links_to_batch(batch):
    page = desk(make_librarian()).get(BATCHES).content.decode()
    assert f'href="{CHANGES}?batch__id__exact={batch.pk}"' in page
    assert "Different category: 4" in page


def test_page_shows_flows_before_changes(batch):
    other = make_change()
    page = desk(make_librarian()).get(changes_url(batch)).content.decode()
    assert page.index("one → two: 3") < page.index("two → one: 1") < page.index("one (60%)")
    assert page.count("one (60%)") == 3
    assert other.book.title not in page
    assert "5 books classified." in page


def test_only_largest_flows_are_drawn():
    batch = make_batch()
    for _ in range(14):
        make_change(batch=batch)
    page = desk(make_librarian()).get(changes_url(batch)).content.decode()
    assert page.count("<path d=") == 12
    assert "2 smaller flows (2 books)" in " ".join(page.split())


def test_batch_without_moves_has_no_diagram():
    page = desk(make_librarian()).get(changes_url(make_batch())).content.decode()
    assert "No differences in suggested categories." in page


def test_selected_changes_are_accepted(batch):
    chosen = list(batch.changes.values_list("pk", flat=True)[:2])
    data = {"action": "accept_selected", "_selected_action": chosen}
    page = desk(make_librarian()).post(changes_url(batch), data, follow=True).content.decode()
    assert "2 books filed." in page
    assert Book.objects.filter(category_source="model").count() == 2
    assert "delete_selected" not in page


def test_undone_batch_shows_what_was_not_restored(batch):
    change = batch.changes.first()
    Book.objects.filter(pk=change.book_id).update(category=change.to_category, category_source="librarian")
    client = desk(make_librarian())
    page = client.post(f"{BATCHES}{batch.pk}/undo/", follow=True).content.decode()
    run = Run.objects.get()
    assert f"Job queued: {run}." in page
    assert jobs.execute_run(run_id=run.pk).result == {
        "batch": batch.pk, "books": 3, "decided": 1, "classified_again": 0
    }  # fmt: skip
    page = client.get(changes_url(batch)).content.decode()
    assert "manually filed later: <strong>1</strong>" in page
    assert "Undo this batch" not in page
    batch.refresh_from_db()
    assert batch.undone_by.username == "librarian"
    again = client.post(f"{BATCHES}{batch.pk}/undo/", follow=True).content.decode()
    assert f"Batch {batch.pk} is already undone." in again


def test_analysts_see_no_buttons(batch):
    make_misfiled()
    client = desk(make_user(ANALYSTS))
    assert "Undo this batch" not in client.get(changes_url(batch)).content.decode()
    page = client.get(MISFILED, follow=True).content.decode()
    assert ">Move<" not in page
    assert ">Keep as is<" not in page


def test_moved_and_confirmed_books_leave_the_list():
    moved, confirmed = make_misfiled(), make_misfiled()
    client = desk(make_librarian())
    page = client.get(MISFILED, follow=True).content.decode()
    assert page.count(">Move<") == page.count(">Keep as is<") == 2
    client.post(f"{MISFILED}{moved.pk}/move/")
    moved.book.refresh_from_db()
    assert (moved.book.category, moved.book.category_source) == (moved.category, "librarian")
    client.post(f"{MISFILED}{confirmed.pk}/dismiss/")
    page = client.get(MISFILED, follow=True).content.decode()
    assert ">Move<" not in page
    assert Misfiled.objects.get().dismissed_by.username == "librarian"
    assert confirmed.book.title in client.get(f"{MISFILED}?status=confirmed").content.decode()
    refused = client.post(f"{MISFILED}{confirmed.pk}/dismiss/", follow=True).content.decode()
    assert "This book is no longer listed as a possible misfile." in refused


def test_pages_in_chinese(batch):
    make_misfiled()
    client = desk(make_librarian(), headers={"accept-language": "zh-hans"})
    for url, texts in (
        (BATCHES, ("批次", "已应用")),
        (changes_url(batch), ("撤销此批次", "图书在类目之间的流向")),
        (f"{MISFILED}", ("疑似误归类", "移动")),
    ):
        page = client.get(url).content.decode()
        for text in texts:
            assert text in page


def test_api_lists_accepts_and_undoes(batch):
    client = api(make_librarian())
    (row,) = client.get("/api/v1/batches/").json()["results"]
    assert (row["id"], row["state"], row["changed"]) == (batch.pk, "applied", {"moved": 4})
    changes = client.get(f"/api/v1/changes/?batch={batch.pk}").json()["results"]
    assert len(changes) == 4
    url = f"/api/v1/batches/{batch.pk}/"
    response = client.post(f"{url}accept/", {"changes": [changes[0]["id"]]}, format="json")
    assert (response.status_code, response.json()) == (200, {"filed": 1, "decided": 0, "unsure": 0})
    assert client.post(f"{url}accept/", {}, format="json").json()["filed"] == 3
    response = client.post(f"{url}undo/")
    assert (response.status_code, response.json()["parameters"]) == (202, {"batch": batch.pk})
    jobs.execute_run(run_id=response.json()["id"])
    assert client.get(url).json()["state"] == "undone"
    assert not Book.objects.filter(category_source="model").exists()
    assert client.post(f"{url}undo/").status_code == 409
    assert client.post(f"{url}accept/", {}, format="json").status_code == 409


def test_api_lists_moves_and_dismisses_misfiled_books():
    row, other = make_misfiled(evidence={"score": 1.5}), make_misfiled(dismissed_at=NOW)
    client = api(make_librarian())
    (listed,) = client.get("/api/v1/misfiled/?dismissed=false").json()["results"]
    assert (listed["id"], listed["evidence"]) == (row.pk, {"score": 1.5})
    (listed,) = client.get("/api/v1/misfiled/?dismissed=true").json()["results"]
    assert listed["id"] == other.pk
    assert client.post(f"/api/v1/misfiled/{row.pk}/move/").json()["category_source"] == "librarian"
    assert client.post(f"/api/v1/misfiled/{other.pk}/dismiss/").status_code == 409


@pytest.mark.parametrize("url", ["batches", "changes", "misfiled"])
def test_catalogue_clients_are_refused(url):
    client = api(make_user("catalogue clients"))
    assert client.get(f"/api/v1/{url}/").status_code == 403


def test_deleting_book_deletes_its_changes(batch):
    change = batch.changes.first()
    make_misfiled(book=make_book(category=make_category()))
    desk(make_librarian()).post(f"/admin/catalogue/book/{change.book_id}/delete/", {"post": "yes"})
    assert not Book.objects.filter(pk=change.book_id).exists()
    assert Batch.objects.get().changes.count() == 3
