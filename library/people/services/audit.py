"""Writes to the audit log: entries are added, and the oldest go when the library keeps them no longer."""

import os
import pwd
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Model

from library.people.models import AuditEntry

_LONGEST_PATH = 500
_LONGEST_KEY = 40


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
    """Add an entry; called in the transaction of what it tells of, both stay or neither does.

    Parameters
    ----------
    user : User, str or None
        Who; a name where that is no account (see `system_user`), None or an anonymous user where nobody is
        known.
    action : AuditEntry.Action
    path : str
        The address asked for, without what follows its question mark: that holds names and card numbers. Of
        a command, its name after ``manage.py``.
    now : datetime
    model : type, optional
        What kind of record.
    object_key : object
        The primary key of the one record.
    listed : iterable
        The primary keys of the records that a list showed.

    Returns
    -------
    AuditEntry
    """
    keys = " ".join(map(str, listed))
    user_name = user if isinstance(user, str) else user.get_username() if user else ""
    return AuditEntry.objects.create(
        at=now,
        user_key=str(getattr(user, "pk", None) or ""),
        user_name=user_name,
        action=action,
        object_type=model._meta.label_lower if model else "",
        object_key=_storable(object_key)[:_LONGEST_KEY],
        listed=f" {keys} " if keys else "",
        path=_storable(path.partition("?")[0])[:_LONGEST_PATH],
    )


def _storable(asked: object) -> str:
    """Return what a client wrote into an address without what PostgreSQL stores in no text."""
    return str(asked).replace("\0", "�")


def system_user() -> str:
    """Return who runs a command: the name of the operating system's user, "command" for one without."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "command"


@transaction.atomic
def prune_audit(*, now: datetime) -> dict[str, int]:
    """Remove the entries older than the setting ``AUDIT_MONTHS``, and write down that it was done.

    The database lets go of old entries alone (the migration ``audit_ages``), whatever is asked of it.

    Parameters
    ----------
    now : datetime

    Returns
    -------
    dict
        ``removed``, how many.
    """
    if settings.AUDIT_MONTHS == 0:
        return {"removed": 0}
    # A month is a twelfth of 365 days.
    oldest = now - timedelta(days=365) * settings.AUDIT_MONTHS / 12
    removed, _by_model = AuditEntry.objects.filter(at__lt=oldest).delete()
    if removed:
        changed = AuditEntry.Action.CHANGED
        write_entry(
            user=system_user(), action=changed, path="manage.py prune_audit", now=now, model=AuditEntry
        )
    return {"removed": removed}
