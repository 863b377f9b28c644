"""Names that were kept as plain text before there was encryption."""

import dj_database_url
import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction

from library.people.models import Borrower, BorrowerTerm, KeyCanary
from library.people.selectors import search_borrowers
from library.people.services.keys import confirm_keys
from tests.conftest import default_database
from tests.library.people.keyrings import token
from tests.library.people.test_fields import everything_in_the_database


@pytest.fixture(params=["sqlite", "postgresql"])
def old_database(request, tmp_path, django_db_setup, django_db_blocker):
    """A database as it was before, empty."""
    with django_db_blocker.unblock():
        if request.param == "sqlite":
            config = dj_database_url.parse(f"sqlite:///{tmp_path}/old.sqlite3")
            options = connections.databases["default"]["OPTIONS"]
            with default_database(config | {"OPTIONS": options}):
                call_command("migrate", "people", "0002", verbosity=0)
                yield
            return
        config = dj_database_url.parse(request.getfixturevalue("postgresql_url"))
        with default_database(config), connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE before_encryption")
        try:
            with default_database(config | {"NAME": "before_encryption"}):
                call_command("migrate", "people", "0002", verbosity=0)
                yield
        finally:
            with default_database(config), connection.cursor() as cursor:
                cursor.execute("DROP DATABASE before_encryption WITH (FORCE)")


def test_names_there_are_become_encrypted_and_found_and_leave_no_trace(old_database):
    rows = [("P1", "Zdeňka Quuxington"), ("P2", ""), ("P3", "欧阳修")] + [
        (f"Q{number}", f"Many{number} Quuxington") for number in range(600)
    ]
    insert = (
        "INSERT INTO people_borrower (card_number, name, blocked, retention) VALUES (%s, %s, '', 'default')"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(insert, rows)
    assert b"Quuxington" in everything_in_the_database()
    call_command("migrate", "people", verbosity=0)
    assert dict(Borrower.objects.values_list("card_number", "name")) == dict(rows)
    assert token(Borrower.objects.get(card_number="P2")) == ""
    for query, count in [("zdenka", 1), ("quuxington", 601), ("欧阳修", 1), ("p2", 1), ("Many599", 1)]:
        assert search_borrowers(query=query).count() == count
    confirm_keys()
    assert KeyCanary.objects.get().text == "canary"
    raw = everything_in_the_database()
    assert [word for word in ("Quux", "Zdeňka", "Many", "欧阳") if word.encode() in raw] == []


def test_a_database_without_borrowers_gets_its_canary(old_database):
    call_command("migrate", "people", verbosity=0)
    confirm_keys()
    assert (KeyCanary.objects.count(), BorrowerTerm.objects.count()) == (1, 0)
