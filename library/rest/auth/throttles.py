"""Rate limits by caller and by scope."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

from library.rest.models import ApiToken
from library.rest.scopes import required_scope

if TYPE_CHECKING:
    # Imports this module, because the settings name it.
    from rest_framework.views import APIView


def client_address(request: HttpRequest) -> str:
    """Return the IP address of the client, as REST framework determines it.

    Behind ``NUM_PROXIES`` proxies it is the address that the outermost of them added to X-Forwarded-For;
    without proxies, the peer of the connection. Addresses that a client adds itself are ignored.
    """
    address: str = BaseThrottle().get_ident(request)  # type: ignore[arg-type]
    return address


class CallerRateThrottle(SimpleRateThrottle):
    """Limit the requests of a token, a user's sessions, or an anonymous client's address (``API_RATES``).

    One counter per minute (second, hour, day) of the clock. REST framework's own throttle stores the time of
    every request, and reads and writes all of them at each request.
    """

    scope = "caller"

    def __init__(self) -> None:
        """Override the base class, which reads the rate: here it depends on the request."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        rate = settings.API_RATES.get(self.rate_name(request))
        if rate is None:
            return True
        limit, seconds = self.parse_rate(rate)
        assert limit is not None  # because the rate is not None
        assert seconds is not None
        period, elapsed = divmod(self.timer(), seconds)
        self.seconds_left = seconds - elapsed
        key = f"{self.get_cache_key(request, view)}-{period:.0f}"
        if self.cache.add(key, 1, seconds):
            return True
        try:
            return self.cache.incr(key) <= limit
        except ValueError:  # the counter expired in between
            return True

    def wait(self) -> float:
        """Return the seconds until the next period."""
        return self.seconds_left

    def get_cache_key(self, request: Request, view: "APIView") -> str:
        kind, identifier = identify_caller(request)
        return self.cache_format % {"scope": f"{self.rate_name(request)}-{kind}", "ident": identifier}

    def rate_name(self, request: Request) -> str:
        """Return the name of the rate that applies."""
        return identify_caller(request)[0]


class ScopeRateThrottle(CallerRateThrottle):
    """Limit the requests of a caller within one scope."""

    scope = "scope"

    def rate_name(self, request: Request) -> str:
        return required_scope(path=request.path, method=request.method or "") or ""


def identify_caller(request: Request) -> tuple[str, str]:
    """Return the kind of caller and its identifier."""
    if isinstance(request.auth, ApiToken):
        return "token", str(request.auth.pk)
    if request.user.is_authenticated:
        return "session", str(request.user.pk)
    return "anonymous", client_address(request)
