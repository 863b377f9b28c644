"""Names that were kept as plain text before there was encryption."""

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from library.people.models import Borrower, BorrowerTerm, KeyCanary
from library.people.selectors import search_borrowers
from library.people.services.keys import confirm_keys
from tests.conftest import old_database
from tests.library.people.keyrings import token
from tests.library.people.test_fields import everything_in_the_database


@pytest.fixture(params=["sqlite", "postgresql"])
def before_encryption(request, tmp_path, django_db_setup, django_db_blocker):
    """A database as it was before, empty."""
    with django_db_blocker.unblock(), old_database(request, tmp_path, "people", "0002"):
        yield


def test_names_there_are_become_encrypted_and_found_and_leave_no_trace(before_encryption):
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


def test_a_database_without_borrowers_gets_its_canary(before_encryption):
    call_command("migrate", "people", verbosity=0)
    confirm_keys()
    assert (KeyCanary.objects.count(), BorrowerTerm.objects.count()) == (1, 0)
