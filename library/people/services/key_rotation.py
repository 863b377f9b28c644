"""From old keys to a new one, while the library is in use."""

from collections.abc import Iterator

from django.apps import apps
from django.db import models
from django.utils.translation import gettext as _

from library.console import Progress, no_progress
from library.errors import LibraryError
from library.people.encryption.fields import EncryptedTextField, stored
from library.people.encryption.keys import UnreadableTokenError, key_ring
from library.people.models import KeyCanary
from library.people.services.key_check import ensure_canary

#: Rows read at a time; each is written by itself, so that nobody waits for the command.
BATCH = 500
#: More would push the sentence round them off the screen; the rest is in the error's facts.
SHOWN = 20


class UnreadableRowsError(LibraryError):
    """Some values could not be re-encrypted, because no key opens them."""


def rotate_keys(*, progress: Progress = no_progress) -> dict[str, int]:
    """Re-encrypt with the first key whatever another key wrote, while others read and write.

    It can be stopped and started again at any time: what is done is passed over.

    Parameters
    ----------
    progress : Progress

    Returns
    -------
    dict
        ``rows`` with personal data, ``reencrypted`` of them, ``keys`` in BORROWER_KEYS.

    Raises
    ------
    KeysError
    UnreadableRowsError
        If there are values that no key opens. All others are re-encrypted nevertheless, and the old keys
        are still needed.
    """
    ensure_canary()
    rows = reencrypted = 0
    unreadable: set[str] = set()
    for model, fields in _encrypted_fields().items():
        changed = -1
        while changed:
            # Once more while there was something to do: a server that has not yet read the new key may have
            # written with the old one behind us.
            seen, changed = _pass_over(model, fields, progress, unreadable)
            reencrypted += changed
        rows += seen
    if unreadable:
        raise UnreadableRowsError(
            _(
                "No key in BORROWER_KEYS opens these: %(values)s. All others are re-encrypted. Put the "
                "missing key back or restore these rows from a backup, and run this again; keep the old keys "
                "until then."
            )
            % {"values": ", ".join(sorted(unreadable)[:SHOWN])},
            unreadable=sorted(unreadable),
            reencrypted=reencrypted,
        )
    # Last: until all is done, a start without the old keys fails.
    _pass_over(KeyCanary, ["text"], no_progress, unreadable)
    return {"rows": rows, "reencrypted": reencrypted, "keys": len(key_ring().keys)}


def _encrypted_fields() -> dict[type[models.Model], list[str]]:
    """Return the names of the encrypted fields of every model that has some, but the canary's."""
    found = {
        model: [field.name for field in model._meta.fields if isinstance(field, EncryptedTextField)]
        for model in apps.get_models()
        if model is not KeyCanary
    }
    return {model: fields for model, fields in found.items() if fields}


def _pass_over(
    model: type[models.Model], fields: list[str], progress: Progress, unreadable: set[str]
) -> tuple[int, int]:
    """Re-encrypt a model; return how many rows were seen and how many changed."""
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
    while batch := list(_with_tokens(model, fields).filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield [(row["pk"], _tokens(row, fields)) for row in batch]
        last = batch[-1]["pk"]


def _rotate_row(model: type[models.Model], pk: int, tokens: dict[str, str], unreadable: set[str]) -> bool:
    """Re-encrypt one row and return whether there was need; one that changes meanwhile is read again."""
    while True:
        new = {
            name: _renewed(token, f"{model._meta.label_lower} {pk} {name}", unreadable)
            for name, token in tokens.items()
        }
        if new == tokens:
            return False
        rows = _with_tokens(model, list(tokens)).filter(pk=pk)
        as_it_was = {f"{name}_token": token for name, token in tokens.items()}
        # The tokens as they are: as text of the field they would be encrypted once more.
        values = {name: models.Value(token, models.TextField()) for name, token in new.items()}
        if rows.filter(**as_it_was).update(**values):
            return True
        row = rows.first()
        if row is None:
            return False
        tokens = _tokens(row, list(tokens))


def _renewed(token: str, place: str, unreadable: set[str]) -> str:
    try:
        return key_ring().rotate(token)
    except UnreadableTokenError:
        unreadable.add(place)
        return token


def _with_tokens(model: type[models.Model], fields: list[str]) -> models.QuerySet:
    """Return rows as dicts of `pk` and, for each field, what the database holds."""
    tokens = {f"{name}_token": stored(name) for name in fields}
    return model._default_manager.annotate(**tokens).values("pk", *tokens)


def _tokens(row: dict[str, str], fields: list[str]) -> dict[str, str]:
    return {name: row[f"{name}_token"] for name in fields}
