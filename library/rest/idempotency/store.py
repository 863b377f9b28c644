"""Answers kept for requests that are sent again (Idempotency-Key): claimed, kept, forgotten.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from cryptography.fernet import Fernet
from django.db import connection, transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from library.errors import ConflictError, LibraryError
from library.rest.models import KeptAnswer

KEPT = timedelta(hours=24)
#: Longer than a web process may take for a request: whoever claimed a key this long ago has died.
LEASE = timedelta(minutes=2)
#: PostgreSQL knows at once whether the claimer's connection lives; so long it may take to say that it does.
FIRST_MOMENT = timedelta(seconds=1)


class InProgressError(ConflictError):
    """The same request is being answered at this moment."""


class KeyReusedError(LibraryError):
    """The key was sent with another request before."""


@dataclass(frozen=True, slots=True)
class Key:
    """A client's key, and what is derived from it.

    Parameters
    ----------
    owner : str
        The user's: a key means something else to another user.
    text : str
        As the client sent it.
    """

    owner: str
    text: str

    @property
    def digest(self) -> str:
        return self._derived("row").hex()

    def fingerprint(self, request: bytes) -> str:
        """Return what a request is recognised by, without telling of its contents."""
        return hmac.new(self._derived("request"), request, "sha256").hexdigest()

    def encrypt(self, answer: bytes) -> str:
        return self._fernet().encrypt(answer).decode("ascii")

    def decrypt(self, answer: str) -> bytes:
        return self._fernet().decrypt(answer.encode("ascii"))

    def _fernet(self) -> Fernet:
        return Fernet(urlsafe_b64encode(self._derived("answer")))

    def _derived(self, purpose: str) -> bytes:
        # With the secret key of the settings.
        salt = f"library.rest.idempotency.store.{purpose}"
        return salted_hmac(salt, f"{self.owner}:{self.text}", algorithm="sha256").digest()


def claim(*, key: Key, request: bytes, now: datetime) -> KeptAnswer:
    """Return the row of a key: with the answer, or claimed for this caller, who then does what was asked.

    Parameters
    ----------
    key : Key
    request : bytes
        All of the request that makes a difference.
    now : datetime

    Returns
    -------
    KeptAnswer

    Raises
    ------
    InProgressError, KeyReusedError
    """
    mine = {"claim": uuid4().hex, "claimed_at": now, "fingerprint": key.fingerprint(request), "answer": ""}
    row, is_new = KeptAnswer.objects.get_or_create(digest=key.digest, defaults=mine)
    if is_new:
        return row
    is_over = row.claimed_at <= now - KEPT
    if not is_over and row.fingerprint != mine["fingerprint"]:
        raise KeyReusedError(_("This Idempotency-Key was sent with another request before: take a new one."))
    if row.answer and not is_over:
        return row
    # As it was read: meanwhile another may have answered, or claimed it too.
    unchanged = KeptAnswer.objects.filter(pk=row.pk, claim=row.claim, answer=row.answer)
    if not _is_dead(row, now) or not unchanged.update(**mine):
        raise InProgressError(_("The same request is being answered. Ask again in a moment."))
    for name, value in mine.items():
        setattr(row, name, value)
    return row


def hold(*, row: KeptAnswer) -> None:
    """Show that the claim is worked on, to the end of the transaction or of the connection (PostgreSQL).

    Else a client would wait for the lease to end when the database was started anew in the midst.
    """
    if connection.vendor == "postgresql":
        _try_to_lock(row)


def _is_dead(row: KeptAnswer, now: datetime) -> bool:
    """Return whether nobody works on a claim any more."""
    if connection.vendor != "postgresql" or row.claimed_at > now - FIRST_MOMENT:
        return row.claimed_at <= now - LEASE
    return _try_to_lock(row)


def _try_to_lock(row: KeptAnswer) -> bool:
    with connection.cursor() as cursor:
        # A signed number of 64 bits; outside a transaction the lock is let go of at once.
        number = int(row.claim[:16], 16) - 2**63
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (locked,) = cursor.fetchone()
    return bool(locked)


def keep(*, row: KeptAnswer, key: Key, answer: bytes) -> None:
    """Keep the answer, in the transaction of what was done for it.

    Raises
    ------
    InProgressError
        If another took the claim over meanwhile; then what was done here must be undone.
    """
    mine = KeptAnswer.objects.filter(pk=row.pk, claim=row.claim)
    if not mine.update(answer=key.encrypt(answer)):
        transaction.set_rollback(True)
        raise InProgressError(_("The same request is being answered. Ask again in a moment."))


def let_go(*, row: KeptAnswer) -> None:
    """Let a key be free again, as nothing was done for it."""
    KeptAnswer.objects.filter(pk=row.pk, claim=row.claim, answer="").delete()


def prune_answers(*, now: datetime) -> dict[str, int]:
    """Remove the answers that are kept no longer; return how many were ``removed``."""
    removed, _by_model = KeptAnswer.objects.filter(claimed_at__lte=now - KEPT).delete()
    return {"removed": removed}
