"""The export of a borrower: complete, and without other people's data."""

import json
import stat

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.models import ForeignKey

from library.admin_site.roles import CIRCULATION
from library.circulation.models import FineEntry, Hold, LoanEvent, Notice
from library.people.models import AuditEntry, Borrower
from library.people.selectors import export, export_borrower
from tests.classifier.factories import make_feedback, make_recommendation
from tests.factories import NOW, make_book, make_borrower, make_borrower_category, make_copy, make_loan
from tests.logins import api, desk, make_librarian, make_user

pytestmark = pytest.mark.django_db


def full_borrower(word="Anna", rows=1):
    """Return a borrower with rows of every kind, with the word in each title and personal field."""
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
        FineEntry.objects.create(loan=loan, borrower=borrower, kind="charge", amount="1.50", created_at=NOW)
        common = {"book": loan.copy.book, "copy": loan.copy, "loan": loan, "borrower": borrower}
        LoanEvent.objects.create(kind="checkout", occurred_at=NOW, **common)
        for reference in ({"loan": loan, "kind": "overdue_1"}, {"hold": hold, "kind": "hold_ready"}):
            Notice.objects.create(**reference, occasion=NOW, message_id=f"<{word}@b>", claimed_at=NOW)
        make_recommendation(borrower=borrower, book=make_book(title=f"{word} title"), rank=rank)
        make_feedback(borrower=borrower, book=make_book(title=f"{word} refused"))
    return borrower


def models_that_lead_to_the_borrower():
    """Return the models with a chain of foreign keys to the borrower."""
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


def test_export_covers_every_model_that_leads_to_the_borrower():
    models = models_that_lead_to_the_borrower()
    assert Notice in models  # only through the loan or the hold
    assert models - {Borrower} - {section.model for section in export._sections.values()} == set()


def test_export_is_complete():
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
        "excluded_from_statistics": False,
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
        {"title": "Anna refused", "verdict": "not_this", "created_at": "2024-06-01T12:00:00+00:00"}
    ]
    assert len(exported["search_terms"]) == anna.terms.count()


def test_export_has_audit_entries_without_users():
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
def test_export_takes_a_fixed_number_of_queries(rows, django_assert_num_queries):
    anna = full_borrower(rows=rows)
    person = Borrower.objects.select_related("category").get(pk=anna.pk)
    # One query per section.
    with django_assert_num_queries(10):
        exported = export_borrower(borrower=person, now=NOW)
    assert len(exported["loans"]) == rows


def test_download_from_the_borrower_page_is_recorded():
    anna = full_borrower()
    client = desk(make_librarian())
    address = f"/admin/people/borrower/{anna.pk}/export/"
    assert address in client.get(f"/admin/people/borrower/{anna.pk}/change/").content.decode()
    response = client.get(address)
    assert response["Content-Disposition"] == f'attachment; filename="borrower-{anna.pk}.json"'
    assert response.json()["borrower"]["name"] == "Anna Chen"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_type, entry.object_key) == (
        "exported",
        "people.borrower",
        str(anna.pk),
    )


def test_circulation_staff_cannot_export():
    anna = full_borrower()
    client = desk(make_user(CIRCULATION))
    assert "/export" not in client.get(f"/admin/people/borrower/{anna.pk}/change/").content.decode()
    assert client.get(f"/admin/people/borrower/{anna.pk}/export/").status_code == 403
    assert AuditEntry.objects.latest("pk").action == "refused"


def test_api_export_is_recorded():
    anna = full_borrower()
    response = api(make_librarian()).get(f"/api/v1/borrowers/{anna.pk}/export/")
    assert response.json()["loans"][0]["title"] == "Anna loan"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_key) == ("exported", str(anna.pk))
    refused = api(make_user(CIRCULATION)).get(f"/api/v1/borrowers/{anna.pk}/export/")
    assert refused.status_code == 403
    assert AuditEntry.objects.latest("pk").action == "refused"


def test_command_prints_the_export(capsys):
    full_borrower()
    call_command("export_borrower", "card Anna")
    assert json.loads(capsys.readouterr().out)["borrower"]["name"] == "Anna Chen"
    assert AuditEntry.objects.get().action == "exported"


def test_command_writes_a_private_file(tmp_path, capsys):
    full_borrower()
    file = tmp_path / "anna.json"
    call_command("export_borrower", "card Anna", "--output", str(file))
    assert capsys.readouterr().out == f"Written to {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text(encoding="utf-8"))["borrower"]["name"] == "Anna Chen"
    with pytest.raises(CommandError, match="File exists"):
        call_command("export_borrower", "card Anna", "--output", str(file))


def test_command_reports_an_unknown_card_number():
    with pytest.raises(CommandError, match="No borrower has the card number P0") as caught:
        call_command("export_borrower", "P0")
    assert caught.value.returncode == 1
