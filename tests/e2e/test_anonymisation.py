"""Search every table and file for a borrower whose loans were anonymised and who was then erased."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from celery import Celery
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from classifier.models import ModelVersion, Recommendation, Suggestion
from classifier.services.classification.reclassify import classify
from classifier.services.recommendation.recommend import recommend
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from library.catalogue.models import Book, Copy
from library.circulation.models import Hold, Loan, Notice
from library.circulation.services.anonymisation import anonymise_loans, truncate_write_ahead_log
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.erasure import erase_borrower
from library.circulation.services.fines import pay_fine, waive_fine
from library.circulation.services.holds import cancel_hold, place_hold
from library.people.models import AuditEntry, Borrower
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW, make_borrower, make_borrower_category, make_copy, make_policy
from tests.logins import api, desk

DAY = timedelta(days=1)
CARD, NAME, EMAIL = "CARD-QXJZV", "Qwyzzle Vrombautz", "qxjzv@vrombautz.example"
WORDS = [text.encode() for text in (CARD, "Qwyzzle", "Vrombautz", EMAIL)]


@pytest.fixture
def borrower():
    """A borrower known to every part of the library, whose loans were returned and paid long ago."""
    make_library()
    borrower = make_borrower(
        card_number=CARD, name=NAME, email=EMAIL, phone="5550199", category=make_borrower_category()
    )
    make_policy(loan_days=5, fine_per_day=Decimal(1), fine_cap=Decimal(9))
    admin = User.objects.create_superuser("root")
    books = list(Book.objects.order_by("pk")[:3])
    for book in books:
        copy = make_copy(book=book)
        place_hold(book=book, borrower=borrower, pickup_branch=None, now=NOW - 1000 * DAY)
        loan = checkout(copy=copy, borrower=borrower, branch=None, now=NOW - 1000 * DAY)
        checkin(copy=copy, branch=None, now=NOW - 990 * DAY)
        pay_fine(loan=loan, amount=Decimal(2), now=NOW - 989 * DAY)
        sent = {"occasion": NOW, "message_id": "<one e-mail>", "claimed_at": NOW}
        Notice.objects.create(loan=loan, kind="overdue_1", **sent)
        Notice.objects.create(hold=Hold.objects.get(book=book), kind="hold_ready", **sent)
        waive_fine(loan=loan, amount=Decimal(3), reason=f"{NAME} was ill", now=NOW - 989 * DAY)
    unwanted = make_copy(book=Book.objects.last())
    cancelled = place_hold(book=unwanted.book, borrower=borrower, pickup_branch=None, now=NOW - 1000 * DAY)
    cancel_hold(hold=cancelled, now=NOW - 999 * DAY)
    for path in (
        f"borrowers/{borrower.pk}/",
        f"loans/?borrower={borrower.pk}",
        f"loans/{loan.pk}/",
        f"holds/?card_number={CARD}",
    ):
        assert api(admin).get(f"/api/v1/{path}").status_code == 200
    client = desk(admin)
    for path in (
        f"people/borrower/?q={NAME}",
        f"people/borrower/{borrower.pk}/change/",
        f"circulation/loan/?q={CARD}",
        f"circulation/fineentry/payment/{loan.pk}/",
    ):
        assert client.get(f"/admin/{path}").status_code == 200
    change = {"card_number": CARD, "name": NAME, "email": EMAIL, "retention": "default"}
    assert client.post(f"/admin/people/borrower/{borrower.pk}/change/", change).status_code == 302
    return borrower


def referenced_rows(table, row):
    """Return the (table, key) pairs that a row refers to, by foreign keys and by keys in text columns."""
    with connection.cursor() as cursor:
        relations = connection.introspection.get_relations(cursor, table)
    references = {(other[1], str(row[column])) for column, other in relations.items()}
    if "object_type" in row:
        references.add((row["object_type"].replace(".", "_"), row["object_key"]))
    if table == "people_auditedrecord":
        entry = AuditEntry.objects.get(pk=row["entry_id"])
        references.add((entry.object_type.replace(".", "_"), row["key"]))
    if "content_type_id" in row and "object_id" in row:
        kind = ContentType.objects.get_for_id(row["content_type_id"])
        references.add((f"{kind.app_label}_{kind.model}", str(row["object_id"])))
    return references


def every_row():
    """Yield every row of every table as the database stores it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                yield table, dict(zip(names, values, strict=True))


def rows_that_link(borrower_key, titles, relations):
    """Return the rows that link the borrower with something borrowed."""
    matches = []
    for table, row in every_row():
        references = referenced_rows(table, row)
        text = " ".join(map(str, row.values()))
        names_borrower = (
            ("people_borrower", str(borrower_key)) in references
            or any(word.decode() in text for word in WORDS)
            or f"/borrower/{borrower_key}/" in text
            or f"/borrowers/{borrower_key}/" in text
        )
        names_title = references & relations or any(title in text for title in titles)
        if names_borrower and names_title:
            matches.append((table, row))
    return matches


def rows_of_borrower(borrower_key):
    return [
        (table, row)
        for table, row in every_row()
        if any(word.decode() in " ".join(map(str, row.values())) for word in WORDS)
        or any(
            key == str(borrower_key)
            for column, key in referenced_rows(table, row)
            if column == "people_borrowerterm"
        )
        or (table == "people_borrower" and row["id"] == borrower_key)
        or row.get("borrower_id") == borrower_key
    ]


def files_with_borrower(folder):
    """Return the files below a folder that contain a part of the borrower's name, card or e-mail."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in WORDS)
    ]


def database_files():
    truncate_write_ahead_log()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA database_list")
        name = cursor.fetchone()[2]
    return [f"{name}{suffix}" for suffix in ("", "-wal")]


def database_bytes():
    return b"".join(Path(name).read_bytes() for name in database_files() if Path(name).exists())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_trace_of_anonymised_loans_and_erased_borrowers(
    database, borrower, data_folder, tmp_path_factory, caplog
):
    export = tmp_path_factory.mktemp("exports") / "recommendations.csv"
    train(JobContext(now=NOW), settings=QUICK)
    classify(JobContext(now=NOW), include_categorised=True)
    result = recommend(JobContext(now=NOW), output=export)
    assert CARD in export.read_text(encoding="utf-8")  # exported files are the operator's to delete
    results = (data_folder / "queue" / "results").resolve()
    results.mkdir(parents=True)
    # Not the current app: later tests would use it to find the broker.
    backend = Celery(backend=results.as_uri(), set_as_current=False).backend
    backend.store_result("recommended", result, "SUCCESS")
    loans = Loan.objects.filter(borrower=borrower)
    relations = {
        *(("circulation_loan", str(pk)) for pk in loans.values_list("pk", flat=True)),
        *(("catalogue_copy", str(pk)) for pk in Copy.objects.values_list("pk", flat=True)),
        *(("catalogue_book", str(pk)) for pk in Book.objects.values_list("pk", flat=True)),
    }
    titles = set(Book.objects.values_list("title", flat=True))
    tables = {table for table, _row in rows_that_link(borrower.pk, titles, relations)}
    assert tables == {
        "circulation_fineentry",
        "circulation_hold",
        "circulation_loan",
        "circulation_loanevent",
        "classifier_recommendation",
    }, "the search finds nothing, so the rest proves nothing"
    assert CARD.encode() in database_bytes()

    backend.store_result("anonymised", anonymise_loans(now=NOW).as_dict(), "SUCCESS")

    assert rows_that_link(borrower.pk, titles, relations) == []
    assert not Notice.objects.exists()  # a message to one borrower would link the loans
    assert Borrower.objects.get(pk=borrower.pk).name == NAME
    small_category = {
        row["borrower_category_id"] for table, row in every_row() if table == "circulation_loanevent"
    }
    assert borrower.category_id not in small_category

    erase_borrower(borrower=borrower, now=NOW)

    assert rows_of_borrower(borrower.pk) == []
    assert [word for word in WORDS if word in database_bytes()] == []
    assert files_with_borrower(data_folder) == []
    assert not any(word.decode() in caplog.text for word in WORDS)

    # The model still serves, and training works without any borrower in the loans.
    before = ModelVersion.objects.get(state="active")
    assert classify(JobContext(now=NOW), include_categorised=True)["version"] == before.name
    anonymise_loans(now=NOW + 5000 * DAY)
    assert not Loan.objects.filter(borrower__isnull=False).exists()
    assert not Recommendation.objects.exists()
    train(JobContext(now=NOW + DAY), settings=QUICK)
    assert classify(JobContext(now=NOW), include_categorised=True)["books"] == Book.objects.count()
    assert Suggestion.objects.exists()
    result = recommend(JobContext(now=NOW), output=export)
    assert (result["borrowers"], result["recommendations"]) == (0, 0)
    assert CARD not in export.read_text(encoding="utf-8")
    assert files_with_borrower(data_folder) == []
