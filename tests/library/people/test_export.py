"""What do you hold about me: all of it, and nothing of anyone else."""

import json
import stat

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.models import ForeignKey

from library.admin_site.roles import CIRCULATION
from library.circulation.models import FineEntry, Hold, LoanEvent, Notice
from library.people.models import AuditEntry, Borrower
from library.people.selectors import export_borrower
from library.people.selectors.export import exported_models
from tests.classifier.factories import make_feedback, make_recommendation
from tests.factories import NOW, make_book, make_borrower, make_borrower_category, make_copy, make_loan
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db


def full_borrower(word="Anna", rows=1):
    """A borrower of whom there is a row of every kind, with a word of that borrower's own in each title."""
    borrower = make_borrower(
        card_number=f"card {word}",
        name=f"{word} Chen",
        email=f"{word}@library.example",
        phone="555 0100",
        address="1 Mill Lane",
        blocked="moved away",
        category=make_borrower_category(name="Staff"),
    )
    for rank in range(1, rows + 1):
        loan = make_loan(borrower=borrower, book=make_book(title=f"{word} loan"), due_at=NOW)
        hold = Hold.objects.create(
            book=make_book(title=f"{word} hold"),
            borrower=borrower,
            position=1,
            placed_at=NOW,
            ready_at=NOW,
            status="ready",
            copy=make_copy(),
        )
        FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount="1.50", at=NOW)
        about = {"book": loan.copy.book, "copy": loan.copy, "loan": loan, "borrower": borrower}
        LoanEvent.objects.create(kind="checkout", at=NOW, **about)
        for told in ({"loan": loan, "kind": "overdue_1"}, {"hold": hold, "kind": "hold_ready"}):
            Notice.objects.create(**told, occasion=NOW, message_id=f"<{word}@b>", claimed_at=NOW)
        make_recommendation(borrower=borrower, book=make_book(title=f"{word} title"), rank=rank)
        make_feedback(borrower=borrower, book=make_book(title=f"{word} refused"))
    return borrower


def models_with_a_way_to_the_borrower():
    found, added = {Borrower}, {Borrower}
    models = [model for model in apps.get_models() if not model._meta.proxy]
    while added:
        added = {
            model
            for model in models
            for field in model._meta.fields
            if isinstance(field, ForeignKey) and field.related_model in found
        } - found
        found |= added
    return found


def test_every_model_with_a_way_to_the_borrower_is_in_the_export():
    reachable = models_with_a_way_to_the_borrower()
    assert Notice in reachable  # through the loan or the hold alone
    assert reachable - exported_models() == set()


def test_all_of_it_is_there():
    anna = full_borrower()
    full_borrower("Bob")
    exported = export_borrower(borrower=anna, now=NOW)
    text = json.dumps(exported, ensure_ascii=False)
    assert "Bob" not in text
    assert (exported["format"], exported["version"]) == ("library borrower export", 1)
    assert exported["exported_at"] == "2024-06-01T12:00:00+00:00"
    assert exported["borrower"] == {
        "id": anna.pk,
        "card_number": "card Anna",
        "name": "Anna Chen",
        "email": "Anna@library.example",
        "phone": "555 0100",
        "address": "1 Mill Lane",
        "category": "Staff",
        "blocked": "moved away",
        "retention": "default",
        "left_out": False,
    }
    (loan,), (hold,), (fine,) = exported["loans"], exported["holds"], exported["fines"]
    assert (loan["title"], loan["due_at"], loan["returned_at"]) == (
        "Anna loan",
        "2024-06-01T12:00:00+00:00",
        None,
    )
    assert (hold["title"], hold["status"]) == ("Anna hold", "ready")
    assert (fine["kind"], fine["amount"], fine["title"]) == ("charge", "1.50", "Anna loan")
    assert [notice["kind"] for notice in exported["notices"]] == ["overdue_1", "hold_ready"]
    assert [event["kind"] for event in exported["events"]] == ["checkout"]
    assert [row["title"] for row in exported["recommendations"]] == ["Anna title"]
    assert exported["feedback"] == [
        {"title": "Anna refused", "verdict": "not_this", "at": "2024-06-01T12:00:00+00:00"}
    ]
    assert len(exported["search_terms"]) == anna.terms.count()


def test_looks_and_changes_are_there_without_who_made_them():
    anna = full_borrower()
    client = desk(make_librarian())
    client.get("/admin/people/borrower/")
    client.post(
        f"/admin/people/borrower/{anna.pk}/change/",
        {"card_number": anna.card_number, "name": "Anna Li", "retention": "keep"},
    )
    exported = export_borrower(borrower=anna, now=NOW)
    assert [row["action"] for row in exported["audit_log"]] == ["searched", "changed"]
    assert len(exported["admin_history"]) == 1
    assert "librarian" not in json.dumps(exported)


@pytest.mark.parametrize("rows", [2, 30])
def test_it_takes_the_same_queries_however_much_there_is(rows, django_assert_num_queries):
    anna = full_borrower(rows=rows)
    person = Borrower.objects.select_related("category").get(pk=anna.pk)
    # A query a kind of row.
    with django_assert_num_queries(10):
        exported = export_borrower(borrower=person, now=NOW)
    assert len(exported["loans"]) == rows


def test_a_librarian_saves_it_from_the_borrowers_page_and_that_is_written_down():
    anna = full_borrower()
    client = desk(make_librarian())
    address = f"/admin/people/borrower/{anna.pk}/export/"
    assert address in client.get(f"/admin/people/borrower/{anna.pk}/change/").content.decode()
    answer = client.get(address)
    assert answer["Content-Disposition"] == f'attachment; filename="borrower-{anna.pk}.json"'
    assert answer.json()["borrower"]["name"] == "Anna Chen"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_type, entry.object_key) == (
        "exported",
        "people.borrower",
        str(anna.pk),
    )


def test_the_desk_neither_sees_the_button_nor_gets_the_file():
    anna = full_borrower()
    client = desk(make_user(CIRCULATION))
    assert "/export" not in client.get(f"/admin/people/borrower/{anna.pk}/change/").content.decode()
    assert client.get(f"/admin/people/borrower/{anna.pk}/export/").status_code == 403
    assert AuditEntry.objects.latest("pk").action == "refused"


def test_the_api_gives_it_and_writes_that_down():
    anna = full_borrower()
    answer = api(make_librarian()).get(f"/api/v1/borrowers/{anna.pk}/export/")
    assert answer.json()["loans"][0]["title"] == "Anna loan"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_key) == ("exported", str(anna.pk))
    refused = api(make_user(CIRCULATION)).get(f"/api/v1/borrowers/{anna.pk}/export/")
    assert refused.status_code == 403
    assert AuditEntry.objects.latest("pk").action == "refused"


def test_the_command_prints_it(capsys):
    full_borrower()
    call_command("export_borrower", "card Anna")
    assert json.loads(capsys.readouterr().out)["borrower"]["name"] == "Anna Chen"
    assert AuditEntry.objects.get().action == "exported"


def test_the_command_writes_a_new_file_that_only_its_owner_reads(tmp_path, capsys):
    full_borrower()
    file = tmp_path / "anna.json"
    call_command("export_borrower", "card Anna", "--output", str(file))
    assert capsys.readouterr().out == f"Written to {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text(encoding="utf-8"))["borrower"]["name"] == "Anna Chen"
    with pytest.raises(CommandError, match="File exists"):
        call_command("export_borrower", "card Anna", "--output", str(file))


def test_the_command_names_a_card_that_nobody_has():
    with pytest.raises(CommandError, match="No borrower has the card P0") as caught:
        call_command("export_borrower", "P0")
    assert caught.value.returncode == 1
