"""Writes to the audit log: entries are added, and nothing else is ever done to them."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model

from library.people.models import AuditEntry

_LONGEST_PATH = 500


def write_entry(
    *,
    user: AbstractBaseUser | AnonymousUser | None,
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
    user : User or None
        Who; None or an anonymous user where nobody is known.
    action : AuditEntry.Action
    path : str
        The address asked for, without what follows its question mark: that holds names and card numbers.
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
    return AuditEntry.objects.create(
        at=now,
        user_key="" if user is None or user.pk is None else str(user.pk),
        user_name=user.get_username() if user else "",
        action=action,
        object_type=model._meta.label_lower if model else "",
        object_key=str(object_key),
        listed=f" {keys} " if keys else "",
        path=path.partition("?")[0][:_LONGEST_PATH],
    )
