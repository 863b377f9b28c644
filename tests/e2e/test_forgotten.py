"""A reader goes through all the library does, is forgotten, then erased, and is looked for everywhere."""

from datetime import timedelta
from decimal import Decimal

import pytest
from celery import Celery
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from classifier.models import ModelVersion, Recommendation, Suggestion
from classifier.services.classification.reclassify import classify
from classifier.services.recommendation.recommend import recommend
from classifier.services.training.training import train
from library.catalogue.models import Book, Copy
from library.circulation.models import Hold, Loan, Notice
from library.circulation.services.anonymisation import empty_write_ahead_log, forget_loans
from library.circulation.services.checkin import checkin
from library.circulation.services.checkout import checkout
from library.circulation.services.erasure import erase_borrower
from library.circulation.services.fines import pay_fine, waive_fine
from library.circulation.services.holds import cancel_hold, place_hold
from library.people.models import Borrower
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW, make_borrower, make_borrower_category, make_copy, make_policy
from tests.logins import api, desk

DAY = timedelta(days=1)
CARD, NAME, EMAIL = "CARD-QXJZV", "Qwyzzle Vrombautz", "qxjzv@vrombautz.example"
WORDS = [text.encode() for text in (CARD, "Qwyzzle", "Vrombautz", EMAIL)]


@pytest.fixture
def reader():
    """A reader of three titles, seen by every part of the library, all returned and settled long ago."""
    make_library()
    reader = make_borrower(
        card_number=CARD, name=NAME, email=EMAIL, phone="5550199", category=make_borrower_category()
    )
    make_policy(loan_days=5, fine_per_day=Decimal(1), fine_cap=Decimal(9))
    admin = User.objects.create_superuser("root")
    books = list(Book.objects.order_by("pk")[:3])
    for book in books:
        copy = make_copy(book=book)
        place_hold(book=book, borrower=reader, pickup_branch=None, now=NOW - 1000 * DAY)
        loan = checkout(copy=copy, borrower=reader, branch=None, now=NOW - 1000 * DAY)
        checkin(copy=copy, branch=None, now=NOW - 990 * DAY)
        pay_fine(loan=loan, amount=Decimal(2), now=NOW - 989 * DAY)
        told = {"occasion": NOW, "message_id": "<one e-mail>", "claimed_at": NOW}
        Notice.objects.create(loan=loan, kind="overdue_1", **told)
        Notice.objects.create(hold=Hold.objects.get(book=book), kind="hold_ready", **told)
        waive_fine(loan=loan, amount=Decimal(3), reason=f"{NAME} was ill", now=NOW - 989 * DAY)
    unwanted = make_copy(book=Book.objects.last())
    cancelled = place_hold(book=unwanted.book, borrower=reader, pickup_branch=None, now=NOW - 1000 * DAY)
    cancel_hold(hold=cancelled, now=NOW - 999 * DAY)
    for address in (
        f"borrowers/{reader.pk}/",
        f"loans/?borrower={reader.pk}",
        f"loans/{loan.pk}/",
        f"holds/?card_number={CARD}",
    ):
        assert api(admin).get(f"/api/v1/{address}").status_code == 200
    client = desk(admin)
    for address in (
        f"people/borrower/?q={NAME}",
        f"people/borrower/{reader.pk}/change/",
        f"circulation/loan/?q={CARD}",
        f"circulation/fineentry/settle/{loan.pk}/",
    ):
        assert client.get(f"/admin/{address}").status_code == 200
    change = {"card_number": CARD, "name": NAME, "email": EMAIL, "retention": "default"}
    assert client.post(f"/admin/people/borrower/{reader.pk}/change/", change).status_code == 302
    return reader


def references(table, row):
    """Return what a row refers to: (table, key) by foreign keys, and by those kept as text."""
    with connection.cursor() as cursor:
        relations = connection.introspection.get_relations(cursor, table)
    found = {(other[1], str(row[column])) for column, other in relations.items()}
    if "object_type" in row:
        keys = [row["object_key"], *row["listed"].split()]
        found |= {(row["object_type"].replace(".", "_"), key) for key in keys}
    if "content_type_id" in row and "object_id" in row:
        kind = ContentType.objects.get_for_id(row["content_type_id"])
        found.add((f"{kind.app_label}_{kind.model}", str(row["object_id"])))
    return found


def every_row():
    """Yield every row of every table of the database, as the database has it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                yield table, dict(zip(names, values, strict=True))


def rows_that_join(borrower_key, titles, relations):
    """Return the rows that hold both the borrower and something borrowed."""
    found = []
    for table, row in every_row():
        refers = references(table, row)
        text = " ".join(map(str, row.values()))
        about_the_person = (
            ("people_borrower", str(borrower_key)) in refers
            or any(word.decode() in text for word in WORDS)
            or f"/borrower/{borrower_key}/" in text
            or f"/borrowers/{borrower_key}/" in text
        )
        about_a_title = refers & relations or any(title in text for title in titles)
        if about_the_person and about_a_title:
            found.append((table, row))
    return found


def rows_of_the_person(borrower_key):
    return [
        (table, row)
        for table, row in every_row()
        if any(word.decode() in " ".join(map(str, row.values())) for word in WORDS)
        or any(
            key == str(borrower_key)
            for column, key in references(table, row)
            if column == "people_borrowerterm"
        )
        or (table == "people_borrower" and row["id"] == borrower_key)
        or row.get("borrower_id") == borrower_key
    ]


def files_that_name(folder):
    """Return the files below a folder that hold one of the person's words."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in WORDS)
    ]


def database_files():
    empty_write_ahead_log()
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA database_list")
        name = cursor.fetchone()[2]
    return [f"{name}{suffix}" for suffix in ("", "-wal")]


def bytes_of_the_database():
    from pathlib import Path

    return b"".join(Path(name).read_bytes() for name in database_files() if Path(name).exists())


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_who_is_forgotten_is_nowhere_beside_a_title_and_who_is_erased_is_nowhere(
    database, reader, data_folder, tmp_path_factory, caplog
):
    export = tmp_path_factory.mktemp("exports") / "recommendations.csv"
    train(now=NOW, settings=QUICK)
    classify(now=NOW, include_categorised=True)
    recommended = recommend(now=NOW, output=export)
    assert CARD in export.read_text(encoding="utf-8")  # what people export is theirs to delete
    results = (data_folder / "queue" / "results").resolve()
    results.mkdir(parents=True)
    # Not the current one: all tests after this would ask it for the broker.
    backend = Celery(backend=results.as_uri(), set_as_current=False).backend
    backend.store_result("recommended", recommended, "SUCCESS")
    loans = Loan.objects.filter(borrower=reader)
    relations = {
        *(("circulation_loan", str(pk)) for pk in loans.values_list("pk", flat=True)),
        *(("catalogue_copy", str(pk)) for pk in Copy.objects.values_list("pk", flat=True)),
        *(("catalogue_book", str(pk)) for pk in Book.objects.values_list("pk", flat=True)),
    }
    titles = set(Book.objects.values_list("title", flat=True))
    tables = {table for table, _row in rows_that_join(reader.pk, titles, relations)}
    assert tables == {
        "circulation_fineentry",
        "circulation_hold",
        "circulation_loan",
        "circulation_loanevent",
        "classifier_recommendation",
    }, "the search would find it"
    assert CARD.encode() in bytes_of_the_database()

    backend.store_result("forgotten", forget_loans(now=NOW).as_dict(), "SUCCESS")

    assert rows_that_join(reader.pk, titles, relations) == []
    assert not Notice.objects.exists()  # one message would tie its loans together
    assert Borrower.objects.get(pk=reader.pk).name == NAME
    small_category = {
        row["borrower_category_id"] for table, row in every_row() if table == "circulation_loanevent"
    }
    assert reader.category_id not in small_category

    erase_borrower(borrower=reader, now=NOW)

    assert rows_of_the_person(reader.pk) == []
    assert [word for word in WORDS if word in bytes_of_the_database()] == []
    assert files_that_name(data_folder) == []
    assert not any(word.decode() in caplog.text for word in WORDS)

    # What was learned goes on serving, and all is learned anew with every loan forgotten.
    before = ModelVersion.objects.get(state="active")
    assert classify(now=NOW, include_categorised=True)["version"] == before.name
    forget_loans(now=NOW + 5000 * DAY)
    assert not Loan.objects.filter(borrower__isnull=False).exists()
    assert not Recommendation.objects.exists()
    train(now=NOW + DAY, settings=QUICK)
    assert classify(now=NOW, include_categorised=True)["books"] == Book.objects.count()
    assert Suggestion.objects.exists()
    result = recommend(now=NOW, output=export)
    assert (result["borrowers"], result["recommendations"]) == (0, 0)
    assert CARD not in export.read_text(encoding="utf-8")
    assert files_that_name(data_folder) == []
