"""Check that the encryption keys fit the database, and record the keys of an empty one."""

import logging

from django.db import OperationalError, connections
from django.utils.translation import gettext as _

from library.console import Progress, no_progress
from library.errors import LibraryError
from library.people.encryption.blind_index import NAME, digest
from library.people.encryption.fields import UnreadableValueError
from library.people.encryption.keys import key_ring
from library.people.models import Borrower, KeyCanary
from library.people.services.borrowers import index_borrowers

logger = logging.getLogger(__name__)


class WrongKeysError(LibraryError):
    """The keys differ from those that this database was written with."""


def confirm_keys(*, using: str = "default") -> None:
    """Check that the keys in the settings are those of the database. A database without tables passes.

    Raises
    ------
    KeysError
        If a key is missing or malformed.
    WrongKeysError
        If the keys differ from those in use.
    """
    key_ring()
    if KeyCanary._meta.db_table not in connections[using].introspection.table_names():
        return
    try:
        canary = KeyCanary.objects.using(using).first()
    except UnreadableValueError as error:
        raise WrongKeysError(
            _(
                "The borrower data in this database is encrypted with a key that is not in "
                "BORROWER_KEYS. Set BORROWER_KEYS, or the file named in BORROWER_KEYS_FILE, to the "
                "keys last used with this database; see library/people/PRIVACY.md."
            ),
            setting="BORROWER_KEYS",
        ) from error
    if canary and canary.digest != _digest():
        raise WrongKeysError(
            _(
                "BORROWER_INDEX_KEY does not match the borrower search index of this database. Set "
                "it to the key last used with this database; if that key is lost, run: manage.py "
                "index_borrowers"
            ),
            setting="BORROWER_INDEX_KEY",
        )


def confirm_startup_keys() -> None:
    """Check the keys when a server starts, and record those of an empty database.

    An unavailable database does not stop the server: it may come back.

    Raises
    ------
    KeysError
    WrongKeysError
    UnreadableValueError
        If the database has no canary yet and a borrower cannot be read with the keys.
    """
    connection = connections["default"]
    was_open = connection.connection is not None
    try:
        confirm_keys()
        if KeyCanary._meta.db_table in connection.introspection.table_names():
            ensure_canary()
    except OperationalError as error:
        logger.warning("The keys of the borrowers could not be confirmed: %s", error)
    finally:
        # The server may fork next, and a connection must not be shared between processes.
        if not was_open:
            connection.close()


def ensure_canary() -> None:
    """Store a known text encrypted with the keys in use, unless there is one."""
    if not KeyCanary.objects.exists():
        # Decrypt one borrower first: wrong keys must not be recorded as the database's keys.
        Borrower.objects.exclude(name="").first()
        KeyCanary.objects.bulk_create([KeyCanary(pk=1, digest=_digest())], ignore_conflicts=True)


def rebuild_index(*, progress: Progress = no_progress) -> dict[str, int]:
    """Rewrite the search terms of all ``borrowers``, for example after the index key was lost.

    Raises
    ------
    KeysError
    """
    done = index_borrowers(pks=Borrower.objects.values_list("pk", flat=True), progress=progress)
    ensure_canary()
    KeyCanary.objects.update(digest=_digest())
    return {"borrowers": done}


def _digest() -> str:
    return digest(NAME, KeyCanary.KNOWN_TEXT)
