"""Issue API tokens, find them, and record their use."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.rest.models import ApiToken
from library.rest.scopes import Scope

#: Lets people and secret scanners recognise a token.
TOKEN_PREFIX = "lib_"  # noqa: S105 - public
#: Characters of a token that are stored and shown.
PREFIX_LENGTH = len(TOKEN_PREFIX) + 8
#: The last use is not recorded more often, so that most reads write nothing.
LAST_USED_RESOLUTION = timedelta(minutes=10)
MAX_DAYS = 366


class ScopesError(LibraryError):
    """A token without scopes, or with an unknown one."""


def issue_token(
    *, user: User, name: str, scopes: Iterable[str], days: int, now: datetime
) -> tuple[ApiToken, str]:
    """Create a token for a user.

    Parameters
    ----------
    name
        The purpose of the token.
    scopes
        Values of `Scope`.
    days
        Until it expires.

    Returns
    -------
    ApiToken
        The stored token.
    str
        Its secret, which is not stored.

    Raises
    ------
    ScopesError
    """
    requested = set(scopes)
    if not requested or requested - set(Scope.values):
        raise ScopesError(
            _("Choose at least one of these scopes: %(scopes)s.") % {"scopes": ", ".join(Scope.values)},
            scopes=Scope.values,
        )
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        digest=_digest(secret),
        # In a fixed order, so that tokens with the same scopes look the same.
        scopes=[scope for scope in Scope.values if scope in requested],
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return token, secret


def find_token(*, secret: str) -> ApiToken | None:
    """Return a token with its user. The caller checks that it has not expired."""
    return ApiToken.objects.select_related("user").filter(digest=_digest(secret)).first()


def record_use(*, token: ApiToken, now: datetime) -> None:
    """Record that a token was used, at most once per `LAST_USED_RESOLUTION`."""
    if token.last_used_at is None or token.last_used_at < now - LAST_USED_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
