"""Re-encrypt personal data with a new key while the library is in use."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models
from django.utils.translation import gettext as _

from library.console import Progress, no_progress
from library.errors import LibraryError
from library.people.encryption.fields import EncryptedTextField, ciphertext
from library.people.encryption.keys import UnreadableTokenError, key_ring
from library.people.models import KeyCanary
from library.people.services.key_check import ensure_canary

#: Rows read at a time. Each row is written on its own, so that nobody waits for the command.
BATCH_SIZE = 500
#: Values named in the error message; `UnreadableRowsError.extra` has all of them.
MAX_SHOWN = 20


class UnreadableRowsError(LibraryError):
    """Some values could not be re-encrypted because no key decrypts them."""


def rotate_keys(*, progress: Progress = no_progress) -> dict[str, int]:
    """Re-encrypt all values with the first key while others read and write.

    It can be stopped and restarted at any time: values already re-encrypted are skipped.

    Returns
    -------
    dict
        ``rows`` with personal data, how many of them were ``reencrypted``, ``keys`` in BORROWER_KEYS.

    Raises
    ------
    KeysError
    UnreadableRowsError
        If no key decrypts some values: all others are re-encrypted, and the old keys are still needed.
    """
    ensure_canary()
    rows = reencrypted = 0
    unreadable: set[str] = set()
    for model, fields in _encrypted_fields().items():
        changed = -1
        while changed:
            # Repeat while rows change: a server that has not read the new key yet may have written rows with
            # the old one after they were read.
            seen, changed = _reencrypt(model, fields, progress, unreadable)
            reencrypted += changed
        rows += seen
    if unreadable:
        raise UnreadableRowsError(
            _(
                "All values were re-encrypted except these, which no key in BORROWER_KEYS can "
                "decrypt: %(values)s. Restore the missing key, or restore these rows from a backup, "
                "and run the command again; keep the old keys until then."
            )
            % {"values": ", ".join(sorted(unreadable)[:MAX_SHOWN])},
            unreadable=sorted(unreadable),
            reencrypted=reencrypted,
        )
    # The canary last: until everything is re-encrypted, a start without the old keys fails.
    _reencrypt(KeyCanary, ["text"], no_progress, unreadable)
    return {"rows": rows, "reencrypted": reencrypted, "keys": len(key_ring().keys)}


def _encrypted_fields() -> dict[type[models.Model], list[str]]:
    fields_by_model = {
        model: [field.name for field in model._meta.fields if isinstance(field, EncryptedTextField)]
        for model in apps.get_models()
        if model is not KeyCanary
    }
    return {model: fields for model, fields in fields_by_model.items() if fields}


def _reencrypt(
    model: type[models.Model], fields: list[str], progress: Progress, unreadable: set[str]
) -> tuple[int, int]:
    """Re-encrypt the rows of a model; return the numbers of rows seen and of rows changed."""
    seen = changed = 0
    total = model._default_manager.count()
    for batch in _batches(model, fields):
        for pk, tokens in batch:
            changed += _rotate_row(model, pk, tokens, unreadable)
        seen += len(batch)
        progress(f"re-encrypting {model._meta.verbose_name_plural}", seen, max(seen, total))
    return seen, changed


def _batches(model: type[models.Model], fields: list[str]) -> Iterator[list[tuple[int, dict[str, str]]]]:
    last = 0
    while batch := list(_with_tokens(model, fields).filter(pk__gt=last).order_by("pk")[:BATCH_SIZE]):
        yield [(row["pk"], _tokens(row, fields)) for row in batch]
        last = batch[-1]["pk"]


def _rotate_row(model: type[models.Model], pk: int, tokens: dict[str, str], unreadable: set[str]) -> bool:
    """Re-encrypt one row, reading it again if it changes in between; return whether it was changed."""
    while True:
        new = {
            name: _rotated(token, f"{model._meta.label_lower} {pk} {name}", unreadable)
            for name, token in tokens.items()
        }
        if new == tokens:
            return False
        rows = _with_tokens(model, list(tokens)).filter(pk=pk)
        unchanged = {f"{name}_token": token for name, token in tokens.items()}
        # Written as plain text: the encrypted field would encrypt the tokens again.
        values = {name: models.Value(token, models.TextField()) for name, token in new.items()}
        if rows.filter(**unchanged).update(**values):
            return True
        row = rows.first()
        if row is None:
            return False
        tokens = _tokens(row, list(tokens))


def _rotated(token: str, place: str, unreadable: set[str]) -> str:
    try:
        return key_ring().rotate(token)
    except UnreadableTokenError:
        unreadable.add(place)
        return token


def _with_tokens(model: type[models.Model], fields: list[str]) -> models.QuerySet[Any, Any]:
    tokens = {f"{name}_token": ciphertext(name) for name in fields}
    rows: models.QuerySet[Any, Any] = model._default_manager.annotate(**tokens).values("pk", *tokens)
    return rows


def _tokens(row: dict[str, str], fields: list[str]) -> dict[str, str]:
    return {name: row[f"{name}_token"] for name in fields}
