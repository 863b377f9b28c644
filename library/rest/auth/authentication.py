"""Authentication by a bearer token."""

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from library.rest.auth.tokens import find_token, record_use
from library.rest.models import ApiToken
from library.rest.scopes import ANY_TOKEN, InsufficientScope, required_scope


class TokenAuthentication(BaseAuthentication):
    """Authenticate with ``Authorization: Bearer lib_…`` and check the scope of the token.

    The scope is checked here rather than in a permission class, because an endpoint with its own permission
    classes would skip the check.
    """

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiToken] | None:
        token = request_token(request)
        if token is None:
            return None
        scope = required_scope(path=request.path, method=request.method or "")
        if scope != ANY_TOKEN and scope not in token.scopes:
            raise InsufficientScope(scope or "-")
        record_use(token=token, now=timezone.now())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def request_token(request: Request | HttpRequest) -> ApiToken | None:
    """Return the token of a request, or None if it has none.

    Raises
    ------
    AuthenticationFailed
        If the token is unknown, revoked or expired.
    """
    header = get_authorization_header(request)  # type: ignore[arg-type]
    scheme, _space, secret = header.strip().partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    # A header may hold any bytes; tokens are ASCII.
    token = find_token(secret=secret.decode("ascii", "replace").strip())
    if token is None or not token.user.is_active:
        raise AuthenticationFailed(_("The token is invalid or has been revoked."))
    if token.expires_at <= timezone.now():
        raise AuthenticationFailed(_("The token has expired. Create a new one."), code="token_expired")
    return token
