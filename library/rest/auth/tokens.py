"""Tokens of the API: made, used."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.rest.models import ApiToken
from library.rest.scopes import Scope

#: Lets people and programs that look for leaked secrets see what it is.
MARK = "lib_"
SHOWN = len(MARK) + 8
#: The last use is written no more often, so that reading stays reading.
NOTED_EVERY = timedelta(minutes=10)
MOST_DAYS = 366


class ScopesError(LibraryError):
    """A token without any scope, or with one that there is not."""


def issue_token(
    *, user: User, name: str, scopes: Iterable[str], days: int, now: datetime
) -> tuple[ApiToken, str]:
    """Make a token for a user.

    Parameters
    ----------
    user : User
    name : str
        What it is for.
    scopes : iterable of str
        Of `Scope`.
    days : int
        How long it is good for.
    now : datetime

    Returns
    -------
    ApiToken, str
        The row, and the token, which is kept nowhere.

    Raises
    ------
    ScopesError
    """
    wanted = set(scopes)
    if not wanted or wanted - set(Scope.values):
        raise ScopesError(
            _("A token needs one scope at least, of: %(scopes)s.") % {"scopes": ", ".join(Scope.values)},
            scopes=Scope.values,
        )
    token = MARK + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=token[:SHOWN],
        digest=digest_of(token=token),
        # In one order, so that two tokens of the same scopes read the same.
        scopes=[scope for scope in Scope.values if scope in wanted],
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return row, token


def digest_of(*, token: str) -> str:
    return sha256(token.encode()).hexdigest()


def find_token(*, token: str) -> ApiToken | None:
    """Return the row of a token, with its user; whether it is still good is the caller's to ask."""
    return ApiToken.objects.select_related("user").filter(digest=digest_of(token=token)).first()


def note_use(*, row: ApiToken, now: datetime) -> None:
    """Write down that a token was used, unless that is known well enough."""
    if row.last_used_at is None or row.last_used_at < now - NOTED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
