"""The keys against the database: do they fit, and what to write when they are new."""

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
    """The keys are not those that this database was written with."""


def confirm_keys(*, using: str = "default") -> None:
    """Do nothing if the keys of the settings are those of the database, or it has no tables yet.

    Parameters
    ----------
    using : str
        Alias of the database.

    Raises
    ------
    KeysError
        If a key is missing or misspelt.
    WrongKeysError
        If the keys are others than those in use.
    """
    key_ring()
    if KeyCanary._meta.db_table not in connections[using].introspection.table_names():
        return
    try:
        canary = KeyCanary.objects.using(using).first()
    except UnreadableValueError as error:
        raise WrongKeysError(
            _(
                "The borrowers in this database were encrypted with a key that is not in BORROWER_KEYS. "
                "Set BORROWER_KEYS, or the file of BORROWER_KEYS_FILE, to the keys this database was last "
                "used with; see library/people/PRIVACY.md."
            ),
            setting="BORROWER_KEYS",
        ) from error
    if canary and canary.digest != _digest():
        raise WrongKeysError(
            _(
                "BORROWER_INDEX_KEY is not the one that the borrowers in this database are searched by. "
                "Set it to the one this database was last used with; if that is lost, "
                "run: manage.py index_borrowers"
            ),
            setting="BORROWER_INDEX_KEY",
        )


def start_with_keys() -> None:
    """Confirm the keys when a server starts, and remember those of an emptied database.

    A database that does not answer stops no server: it may come back.

    Raises
    ------
    KeysError
    WrongKeysError
    UnreadableValueError
        If there is nothing to confirm the keys by, and a borrower cannot be read with them.
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
        # The server may fork now, and a connection serves one process.
        if not was_open:
            connection.close()


def ensure_canary() -> None:
    """Keep a known text under the keys in use, unless there is one."""
    if not KeyCanary.objects.exists():
        # Reads one borrower: wrong keys must not become those of the database.
        Borrower.objects.exclude(name="").first()
        KeyCanary.objects.bulk_create([KeyCanary(pk=1, digest=_digest())], ignore_conflicts=True)


def rebuild_index(*, progress: Progress = no_progress) -> dict[str, int]:
    """Make the search terms of all borrowers anew, as after the loss of the index key.

    Returns
    -------
    dict
        ``borrowers`` indexed.

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
