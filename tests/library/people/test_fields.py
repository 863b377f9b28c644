"""Encrypted fields: values, lookups, and the bytes on disk."""

import base64
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from library.people.encryption.fields import EncryptedLookupError, UnreadableValueError
from library.people.models import Borrower
from tests.databases import both_databases, rolled_back
from tests.factories import make_borrower
from tests.library.people.keyrings import NEW, OLD, keys, put_token, token

PERSON = {
    "name": "Zdeňka 王小明 Quuxington",
    "email": "zdenka@quux.example",
    "phone": "+420 777 123 987",
    "address": "Quuxgasse 7\n1010 Vindobona",
}


def everything_in_the_database() -> bytes:
    """Return the bytes of the SQLite files, or all rows of a PostgreSQL database as text."""
    if connection.vendor == "sqlite":
        file = Path(connection.settings_dict["NAME"])
        return b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows).encode()


@both_databases
def test_raw_database_holds_no_personal_data(database):
    borrower = make_borrower(card_number="CARD-4711", **PERSON)
    make_borrower(card_number="CARD-4712", name="Zdeňka")
    borrower.refresh_from_db()
    assert {field: getattr(borrower, field) for field in PERSON} == PERSON
    raw = everything_in_the_database().lower()
    assert b"card-4711" in raw  # so plain text would be found
    # Four digits occur by chance, in a digest or in the time of a migration.
    words = {word for value in PERSON.values() for word in [value, *value.split()] if len(word) > 4}
    assert [word for word in words | {"quux", "420777123987", "王小明"} if word.lower().encode() in raw] == []


@pytest.mark.django_db
@given(st.text())
def test_any_text_round_trips(text):
    with rolled_back():
        borrower = Borrower.objects.create(card_number="P1", address=text)
        assert Borrower.objects.get(pk=borrower.pk).address == text
        assert (token(borrower, "address") == "") == (text == "")


@pytest.mark.django_db
def test_bulk_writes_encrypt():
    borrower = make_borrower()
    for text, write in [
        ("updated", lambda: Borrower.objects.update(name="updated")),
        ("bulk", lambda: Borrower.objects.bulk_update([Borrower(pk=borrower.pk, name="bulk")], ["name"])),
    ]:
        write()
        assert token(borrower).startswith("gAAAAA")
        assert Borrower.objects.values_list("name", flat=True).get() == text


@pytest.mark.django_db
def test_equal_values_have_different_ciphertexts():
    first, second = make_borrower(name="Anna"), make_borrower(name="Anna")
    assert token(first) != token(second)


@pytest.mark.django_db
@given(st.data())
def test_changed_bit_is_refused_and_its_row_named(data):
    with rolled_back():
        borrower = make_borrower(name="Anna")
        raw = bytearray(base64.urlsafe_b64decode(token(borrower)))
        bit = data.draw(st.integers(0, 8 * len(raw) - 1))
        raw[bit // 8] ^= 1 << bit % 8
        put_token(borrower, base64.urlsafe_b64encode(raw).decode())
        with pytest.raises(UnreadableValueError) as refusal:
            borrower.refresh_from_db()
        assert refusal.value.extra == {"model": "people.borrower", "pk": borrower.pk, "field": "name"}
        assert f"Cannot decrypt name of people.borrower {borrower.pk}:" in refusal.value.message
        assert "restore this row from a backup" in refusal.value.message


@pytest.mark.django_db
@pytest.mark.parametrize("damage", [lambda token: "Anna", lambda token: "é", lambda token: token[:-4]])
def test_invalid_ciphertext_is_refused(damage):
    borrower = make_borrower(name="Anna")
    put_token(borrower, damage(token(borrower)))
    with pytest.raises(UnreadableValueError):
        borrower.refresh_from_db()


@pytest.mark.django_db
def test_all_keys_decrypt_and_the_first_encrypts():
    with keys(OLD):
        borrower = make_borrower(name="Anna")
    with keys(NEW, OLD):
        borrower.refresh_from_db()
        assert borrower.name == "Anna"
        borrower.save()
    with keys(NEW):
        borrower.refresh_from_db()
        assert borrower.name == "Anna"
    with keys(OLD), pytest.raises(UnreadableValueError):
        borrower.refresh_from_db()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "condition",
    [
        {"name": "Anna"},
        {"name__iexact": "Anna"},
        {"name__in": ["Anna"]},
        {"name__contains": "A"},
        {"name__gt": ""},
        {"name__length": 4},
        {"terms__borrower__name": "Anna"},
    ],
    ids=str,
)
def test_lookup_of_a_value_is_refused(condition):
    with pytest.raises(EncryptedLookupError, match="The encrypted field name does not support"):
        list(Borrower.objects.filter(**condition))


@pytest.mark.django_db
def test_lookup_of_blank_values_works():
    named, nameless = make_borrower(name="Anna"), make_borrower()
    assert list(Borrower.objects.exclude(name="")) == [named]
    assert list(Borrower.objects.filter(name="")) == [nameless]
    assert not Borrower.objects.filter(name__isnull=True).exists()
    with pytest.raises(EncryptedLookupError):
        list(Borrower.objects.filter(name=F("card_number")))
