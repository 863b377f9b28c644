"""Key rings for tests, and access to the ciphertext in the database."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Model, TextField, Value
from django.test import override_settings

from library.people.encryption.fields import ciphertext

OLD, NEW, OTHER = (urlsafe_b64encode(name.ljust(32)).decode() for name in (b"old", b"new", b"other"))


@contextmanager
def keys(*ring: str, index_key: str = OTHER) -> Iterator[None]:
    """Set the library's keys, newest first."""
    with override_settings(BORROWER_KEYS=",".join(ring), BORROWER_INDEX_KEY=index_key):
        yield


def token(row: Model, field: str = "name") -> str:
    """Return the ciphertext in the database."""
    rows = type(row).objects.annotate(token=ciphertext(field))
    return rows.values_list("token", flat=True).get(pk=row.pk)


def put_token(row: Model, token: str, field: str = "name") -> None:
    """Write to the database, bypassing the encryption."""
    type(row).objects.filter(pk=row.pk).update(**{field: Value(token, TextField())})
