"""Who asks: a token in the header of the request."""

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from library.rest.auth.tokens import find_token, note_use
from library.rest.models import ApiToken
from library.rest.scopes import ANY, MissingScope, scope_of


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer lib_…``.

    The scope is asked for here, and not by a permission class, as an endpoint that names its own permissions
    would do without.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiToken] | None:
        row = token_of(request)
        if row is None:
            return None
        scope = scope_of(path=request.path, method=request.method or "")
        if scope != ANY and scope not in row.scopes:
            raise MissingScope(scope or "-")
        note_use(row=row, now=timezone.now())
        return row.user, row

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def token_of(request: Request | HttpRequest) -> ApiToken | None:
    """Return the token that a request was sent with, None if with none.

    Raises
    ------
    AuthenticationFailed
        If there is no such token, or no longer.
    """
    header = get_authorization_header(request)  # type: ignore[arg-type]
    word, _space, sent = header.strip().partition(b" ")
    if word.lower() != b"bearer":
        return None
    # Any bytes may come in a header; those of a token are ASCII.
    row = find_token(token=sent.decode("ascii", "replace").strip())
    if row is None or not row.user.is_active:
        raise AuthenticationFailed(_("There is no such token, or it was revoked."))
    if row.expires_at <= timezone.now():
        raise AuthenticationFailed(_("The token has expired. Make a new one."), code="token_expired")
    return row
