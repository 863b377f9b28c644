"""Write audit entries, and delete those past their retention period."""

import os
import pwd
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Model

from library.people.models import AuditedRecord, AuditEntry

_MAX_PATH_LENGTH = 500
_MAX_KEY_LENGTH = 40


# Without a savepoint: an entry that cannot be written must undo the work that it is about.
@transaction.atomic(savepoint=False)
def write_entry(
    *,
    user: AbstractBaseUser | AnonymousUser | str | None,
    action: AuditEntry.Action,
    path: str,
    now: datetime,
    model: type[Model] | None = None,
    object_key: object = "",
    listed: Iterable[object] = (),
) -> AuditEntry:
    """Add an entry. Call it in the transaction of the change, so that both are committed or neither is.

    Parameters
    ----------
    user
        The account; a name if there is no account (see `system_user`); None or an anonymous user if unknown.
    path
        The request path. The query string is cut off: it holds names and card numbers. For a command, its
        name after ``manage.py``.
    model
        The kind of record.
    object_key
        The primary key of the one record.
    listed
        The primary keys of the records that a list showed.
    """
    user_name = user if isinstance(user, str) else user.get_username() if user else ""
    entry = AuditEntry.objects.create(
        created_at=now,
        user_key=str(getattr(user, "pk", None) or ""),
        user_name=user_name,
        action=action,
        object_type=model._meta.label_lower if model else "",
        object_key=_storable(object_key)[:_MAX_KEY_LENGTH],
        path=_storable(path.partition("?")[0])[:_MAX_PATH_LENGTH],
    )
    keys = dict.fromkeys(map(str, listed))
    AuditedRecord.objects.bulk_create(AuditedRecord(entry=entry, key=key) for key in keys)
    return entry


def _storable(value: object) -> str:
    """Return text sent by a client without NUL, which PostgreSQL rejects."""
    return str(value).replace("\0", "�")


def system_user() -> str:
    """Return the name of the operating system's user who runs a command; "command" if it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "command"


@transaction.atomic
def prune_audit(*, now: datetime) -> dict[str, int]:
    """Delete the entries older than the setting ``AUDIT_MONTHS``, and add an entry about it.

    Triggers in the database refuse to delete young entries, whatever `now` is.

    Returns
    -------
    dict
        ``removed``: the number of entries deleted.
    """
    if settings.AUDIT_MONTHS == 0:
        return {"removed": 0}
    # A month is a twelfth of 365 days.
    oldest = now - timedelta(days=365) * settings.AUDIT_MONTHS / 12
    entries = AuditEntry.objects.filter(created_at__lt=oldest)
    AuditedRecord.objects.filter(entry__in=entries.order_by()).delete()
    removed, _by_model = entries.delete()
    if removed:
        changed = AuditEntry.Action.CHANGED
        write_entry(
            user=system_user(), action=changed, path="manage.py prune_audit", now=now, model=AuditEntry
        )
    return {"removed": removed}
