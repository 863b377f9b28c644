"""Responses stored for repeated requests with an Idempotency-Key.

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
from library.rest.models import IdempotencyRecord

RETENTION = timedelta(hours=24)
#: Longer than a web process may take for a request: the holder of an older key has died.
LEASE = timedelta(minutes=2)
#: PostgreSQL shows at once whether the holder is alive, but the holder needs this long to take its lock.
LOCK_GRACE = timedelta(seconds=1)


class RequestInProgressError(ConflictError):
    """Another process is working on the same request."""


class KeyReusedError(LibraryError):
    """The key was already used with a different request."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key, and the secrets derived from it and the library's ``SECRET_KEY``.

    A response may name a borrower, so it is encrypted with a secret derived from the client's key. Only a
    digest of the key is stored. Neither the database nor the library's own keys decrypt it.

    Attributes
    ----------
    owner
        The primary key of the user: other users may use the same text for other requests.
    text
        As sent by the client.
    """

    owner: str
    text: str

    @property
    def digest(self) -> str:
        return self._derive("row").hex()

    def fingerprint(self, request: bytes) -> str:
        """Return a keyed digest that recognises a request without revealing its contents."""
        return hmac.new(self._derive("request"), request, "sha256").hexdigest()

    def encrypt(self, response: bytes) -> str:
        return self._fernet().encrypt(response).decode("ascii")

    def decrypt(self, token: str) -> bytes:
        return self._fernet().decrypt(token.encode("ascii"))

    def _fernet(self) -> Fernet:
        return Fernet(urlsafe_b64encode(self._derive("response")))

    def _derive(self, purpose: str) -> bytes:
        salt = f"library.rest.idempotency.store.{purpose}"
        return salted_hmac(salt, f"{self.owner}:{self.text}", algorithm="sha256").digest()


def acquire(*, key: IdempotencyKey, request: bytes, now: datetime) -> IdempotencyRecord:
    """Return the record of a key: with the stored response, or acquired by this caller without one.

    Parameters
    ----------
    request
        All parts of the request that make a difference.

    Raises
    ------
    RequestInProgressError, KeyReusedError
    """
    fields = {
        "holder": uuid4().hex,
        "acquired_at": now,
        "fingerprint": key.fingerprint(request),
        "response": "",
    }
    record, is_new = IdempotencyRecord.objects.get_or_create(digest=key.digest, defaults=fields)
    if is_new:
        return record
    is_expired = record.acquired_at <= now - RETENTION
    if not is_expired and record.fingerprint != fields["fingerprint"]:
        raise KeyReusedError(
            _("This Idempotency-Key was already used with a different request. Use a new key.")
        )
    if record.response and not is_expired:
        return record
    # Only if unchanged: another process may have saved a response or acquired the key in between.
    unchanged = IdempotencyRecord.objects.filter(pk=record.pk, holder=record.holder, response=record.response)
    if not _is_abandoned(record, now) or not unchanged.update(**fields):
        raise RequestInProgressError(_("The same request is already being processed. Try again in a moment."))
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def lock(*, record: IdempotencyRecord) -> None:
    """On PostgreSQL, show that the holder is alive until its transaction or its connection ends.

    Without the lock, a client would wait for the lease to expire after the database was restarted.
    """
    if connection.vendor == "postgresql":
        _try_to_lock(record)


def _is_abandoned(record: IdempotencyRecord, now: datetime) -> bool:
    if connection.vendor != "postgresql" or record.acquired_at > now - LOCK_GRACE:
        return record.acquired_at <= now - LEASE
    return _try_to_lock(record)


def _try_to_lock(record: IdempotencyRecord) -> bool:
    with connection.cursor() as cursor:
        # A signed 64-bit number. Outside a transaction the lock is released at once.
        number = int(record.holder[:16], 16) - 2**63
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (locked,) = cursor.fetchone()
    return bool(locked)


def save(*, record: IdempotencyRecord, key: IdempotencyKey, response: bytes) -> None:
    """Store the response, in the transaction of the changes that it reports.

    Raises
    ------
    RequestInProgressError
        If another process has acquired the record: the transaction is then rolled back.
    """
    own_record = IdempotencyRecord.objects.filter(pk=record.pk, holder=record.holder)
    if not own_record.update(response=key.encrypt(response)):
        transaction.set_rollback(True)
        raise RequestInProgressError(_("The same request is already being processed. Try again in a moment."))


def release(*, record: IdempotencyRecord) -> None:
    """Free the key of a request that changed nothing."""
    IdempotencyRecord.objects.filter(pk=record.pk, holder=record.holder, response="").delete()


def prune_idempotency_records(*, now: datetime) -> dict[str, int]:
    """Delete the records past their retention period. Returns ``removed``: the number of records deleted."""
    removed, _by_model = IdempotencyRecord.objects.filter(acquired_at__lte=now - RETENTION).delete()
    return {"removed": removed}
